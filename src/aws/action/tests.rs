//! The tables against the API model of SQS, as AWS publishes it for its SDKs (Apache-2.0; documentation left out).

use {
    super::*,
    crate::{
        aws::shape::{Member, Shape},
        error::ErrorCode,
    },
    serde_json::{Map, Value},
};

/// Members that the model requires and whose absence is not a missing parameter: an empty batch has an error of its
/// own (M31), what is wrong with an entry fails that entry (M41), and no account is a bad principal (Q53).
const LENIENT: &[(&str, &str)] = &[
    ("AddPermissionRequest", "AWSAccountIds"),
    ("AddPermissionRequest", "Actions"),
    ("ChangeMessageVisibilityBatchRequest", "Entries"),
    ("ChangeMessageVisibilityBatchRequestEntry", "Id"),
    ("ChangeMessageVisibilityBatchRequestEntry", "ReceiptHandle"),
    ("DeleteMessageBatchRequest", "Entries"),
    ("DeleteMessageBatchRequestEntry", "Id"),
    ("DeleteMessageBatchRequestEntry", "ReceiptHandle"),
    ("SendMessageBatchRequest", "Entries"),
    ("SendMessageBatchRequestEntry", "Id"),
    ("SendMessageBatchRequestEntry", "MessageBody"),
    ("MessageAttributeValue", "DataType"),
    ("SetQueueAttributesRequest", "Attributes"),
    ("TagQueueRequest", "Tags"),
    ("UntagQueueRequest", "TagKeys"),
];

struct Model {
    operations: Map<String, Value>,
    shapes: Map<String, Value>,
    /// What differs.
    found: Vec<String>,
}

impl Model {
    fn read() -> Self {
        let text = include_str!("../../../tests/aws/service-2.json");
        let mut model: Map<String, Value> = serde_json::from_str(text).unwrap();
        let mut part = |name| match model.remove(name) {
            Some(Value::Object(part)) => part,
            other => panic!("{name} is {other:?}"),
        };
        Self {
            operations: part("operations"),
            shapes: part("shapes"),
            found: Vec::new(),
        }
    }

    fn compare(&mut self, place: &str, kind: Kind, shape: &str) {
        let model = self.shapes[shape].clone();
        let model_type = model["type"].as_str().unwrap();
        match (kind, model_type) {
            (Kind::Text, "string")
            | (Kind::Integer, "integer" | "long")
            | (Kind::Boolean, "boolean")
            | (Kind::Blob, "blob") => {}
            (Kind::List(element), "list") => self.compare(place, *element, shape_of(&model["member"])),
            (Kind::Map(value), "map") => self.compare(place, *value, shape_of(&model["value"])),
            (Kind::Structure(ours), "structure") => self.compare_members(ours, &model),
            _ => self.found.push(format!("{place} is a {model_type} and not a {kind:?}")),
        }
    }

    fn compare_members(&mut self, ours: &Shape, model: &Value) {
        let members = model["members"].as_object().unwrap();
        let required = model["required"].as_array().cloned().unwrap_or_default();
        for (name, member) in members {
            let place = format!("{}.{name}", ours.name);
            match ours.members.iter().find(|ours| ours.name == name) {
                Some(member_of_ours) => {
                    self.compare(&place, member_of_ours.kind, shape_of(member));
                    self.compare_need(ours, member_of_ours, required.contains(&name.as_str().into()));
                }
                None => self.found.push(format!("{place} is missing")),
            }
        }
        for unknown in ours.members.iter().filter(|ours| !members.contains_key(ours.name)) {
            self.found
                .push(format!("{}.{} is not in the model", ours.name, unknown.name));
        }
    }

    fn compare_need(&mut self, shape: &Shape, member: &Member, required: bool) {
        let lenient = LENIENT.contains(&(shape.name, member.name));
        // Answers are written and never read, so nothing says which of their members have to be there.
        let is_input = !shape.name.contains("Result") && shape.name != "Message";
        if is_input && (member.required)() != (required && !lenient) {
            let need = if required { "is required" } else { "is optional" };
            self.found.push(format!("{}.{} {need}", shape.name, member.name));
        }
    }
}

fn shape_of(reference: &Value) -> &str {
    reference["shape"].as_str().unwrap()
}

#[test]
fn every_action_member_and_error_of_the_model_is_here() {
    let mut model = Model::read();
    assert_eq!(ACTIONS.len(), 23);
    for (name, operation) in model.operations.clone() {
        let Some(action) = ACTIONS.iter().find(|action| action.name == name) else {
            model.found.push(format!("{name} is missing"));
            continue;
        };
        model.compare(&name, action.input, shape_of(&operation["input"]));
        match operation.get("output") {
            Some(output) => model.compare(&name, action.output, shape_of(output)),
            None => assert!(
                matches!(action.output, Kind::Structure(Shape { members: [], .. })),
                "{name}"
            ),
        }
        for error in operation["errors"].as_array().unwrap() {
            let (error, mut codes) = (shape_of(error), ErrorCode::ALL.iter());
            if !codes.any(|code| code.is_modelled() && code.json_name() == error) {
                model.found.push(format!("{error} of {name} is missing"));
            }
        }
    }
    assert!(model.found.is_empty(), "{:#?}", model.found);
}
