//! Queue URLs and ARNs: writing and parsing (Q6, Q7).

/// Where the queues of a service live.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    account_id: String,
    #[cfg(any(feature = "aws-protocol", feature = "journal", feature = "topics"))]
    region: String,
    /// `https://sqs.<region>.amazonaws.com/<account>/`, or `<endpoint>/<account>/`
    url_prefix: String,
    /// `arn:aws:sqs:<region>:<account>:`
    arn_prefix: String,
}

impl Addresses {
    pub(super) fn new(region: &str, account_id: &str, endpoint_url: Option<&str>) -> Self {
        let endpoint_url = match endpoint_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("https://sqs.{region}.amazonaws.com"),
        };
        Self {
            account_id: account_id.to_owned(),
            #[cfg(any(feature = "aws-protocol", feature = "journal", feature = "topics"))]
            region: region.to_owned(),
            url_prefix: format!("{endpoint_url}/{account_id}/"),
            arn_prefix: format!("arn:aws:sqs:{region}:{account_id}:"),
        }
    }

    #[cfg(any(feature = "aws-protocol", feature = "journal", feature = "topics"))]
    pub(super) fn account_id(&self) -> &str {
        &self.account_id
    }

    #[cfg(any(feature = "aws-protocol", feature = "journal", feature = "topics"))]
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    pub(super) fn url(&self, name: &str) -> String {
        format!("{}{name}", self.url_prefix)
    }

    pub(super) fn arn(&self, name: &str) -> String {
        format!("{}{name}", self.arn_prefix)
    }

    /// The name in an ARN, if it is one of this service.
    pub(super) fn name_in_arn<'a>(&self, arn: &'a str) -> Option<&'a str> {
        arn.strip_prefix(&self.arn_prefix)
    }

    /// The name in a name, a URL or an ARN; `None` if it is of another account or region.
    ///
    /// Of a URL only the last two segments count, the account and the name, whatever host stands before them; a slash
    /// behind them is ignored.
    pub(super) fn name_in<'a>(&self, address: &'a str) -> Option<&'a str> {
        if address.starts_with("arn:") {
            return self.name_in_arn(address);
        }
        if !address.contains('/') {
            return Some(address);
        }
        let (account_id, name) = account_and_name(address)?;
        (account_id == self.account_id).then_some(name)
    }

    /// Whether an address has the form of a queue's: a name, an ARN, or a URL that ends in an account and a name (X10).
    #[cfg(feature = "aws-protocol")]
    pub(super) fn is_well_formed(&self, address: &str) -> bool {
        if address.starts_with("arn:") || !address.contains('/') {
            return true;
        }
        let is_account = |id: &str| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
        account_and_name(address).is_some_and(|(account_id, name)| {
            !name.is_empty() && (account_id == self.account_id || is_account(account_id))
        })
    }
}

/// The last two segments of a URL or of its path alone, without a slash behind them.
fn account_and_name(url: &str) -> Option<(&str, &str)> {
    let path = match url.split_once("://") {
        Some((_, host_and_path)) => host_and_path.split_once('/')?.1,
        None => url,
    };
    let (before, name) = path.strip_suffix('/').unwrap_or(path).rsplit_once('/')?;
    Some((before.rsplit('/').next()?, name))
}

/// Whether `text` has the form `arn:<partition>:<service>:<region>:<account-id>:<resource-id>` (L26d).
pub(super) fn is_arn(text: &str) -> bool {
    text.starts_with("arn:") && text.split(':').count() >= 6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_named_by_name_url_or_arn() {
        // Q6 Q7
        let addresses = Addresses::new("eu-west-1", "123456789012", None);
        for address in [
            "jobs",
            "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs",
            "http://localhost:9324/123456789012/jobs",
            "http://localhost/some/path/123456789012/jobs",
            "123456789012/jobs",
            "/123456789012/jobs",
            "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs/",
            "123456789012/jobs/",
            "arn:aws:sqs:eu-west-1:123456789012:jobs",
        ] {
            assert_eq!(addresses.name_in(address), Some("jobs"), "{address}");
        }
        assert_eq!(addresses.name_in(&addresses.url("jobs")), Some("jobs"));
        assert_eq!(addresses.name_in(&addresses.arn("jobs")), Some("jobs"));
    }

    #[test]
    fn urls_begin_with_the_endpoint_if_there_is_one() {
        for endpoint in ["http://127.0.0.1:9324/eu-west-1", "http://127.0.0.1:9324/eu-west-1/"] {
            let addresses = Addresses::new("eu-west-1", "123456789012", Some(endpoint));
            let url = addresses.url("jobs");
            assert_eq!(url, "http://127.0.0.1:9324/eu-west-1/123456789012/jobs");
            assert_eq!(addresses.name_in(&url), Some("jobs"));
        }
    }

    #[cfg(feature = "aws-protocol")]
    #[test]
    fn a_url_that_does_not_end_in_an_account_and_a_name_is_malformed() {
        // X10
        let addresses = Addresses::new("eu-west-1", "local", None);
        for address in [
            "jobs",
            "no such name",
            "arn:aws:sqs:eu-west-1:123456789012:jobs",
            "http://localhost:9324/210987654321/jobs",
            "http://localhost:9324/local/jobs/",
            "/210987654321/jobs",
            "210987654321/no such name",
        ] {
            assert!(addresses.is_well_formed(address), "{address}");
        }
        for address in [
            "http://whatever-incorrect-queue-address",
            "http://localhost/",
            "http://localhost/jobs",
            "http://localhost/jobs/",
            "http://local/jobs",
            "http://localhost/210987654321/",
            "http://localhost/queue/jobs",
            "http://localhost/21098765432/jobs",
            "http://localhost/210987654321/jobs//",
            "://",
            "/",
            "//",
            "jobs/",
            "/jobs",
        ] {
            assert!(!addresses.is_well_formed(address), "{address}");
        }
    }

    #[test]
    fn another_account_or_region_names_no_queue() {
        let addresses = Addresses::new("eu-west-1", "123456789012", None);
        for address in [
            "https://sqs.eu-west-1.amazonaws.com/210987654321/jobs",
            "queue/jobs",
            "/jobs",
            "jobs/",
            "http://123456789012/jobs",
            "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs//",
            "arn:aws:sqs:eu-west-1:210987654321:jobs",
            "arn:aws:sqs:us-east-1:123456789012:jobs",
            "arn:aws:sns:eu-west-1:123456789012:jobs",
        ] {
            assert_eq!(addresses.name_in(address), None, "{address}");
        }
    }
}
