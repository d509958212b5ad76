//! What every message holds.

/// 256 bytes of JSON, as jobs have it.
pub(crate) const BODY: &str = concat!(
    r#"{"job":"resize","source":"s3://photos/2026/01/cat.png","target":"s3://thumbs/2026/01/cat.png","#,
    r#""width":320,"height":240,"quality":85,"strip":true,"attempt":1,"trace":"0f8fad5b-d9cb-469f-"#,
    r#"a165-70867728950e","owner":"orders","note":"one line, as jobs have it"}"#
);
const _: () = assert!(BODY.len() == 256, "the body is as long as the table says");
