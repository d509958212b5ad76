//! How a service writes the names of its queues, and reads them back (Q6, Q7).

/// Where the queues of a service live.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    account_id: String,
    #[cfg(feature = "aws-protocol")]
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
            #[cfg(feature = "aws-protocol")]
            region: region.to_owned(),
            url_prefix: format!("{endpoint_url}/{account_id}/"),
            arn_prefix: format!("arn:aws:sqs:{region}:{account_id}:"),
        }
    }

    #[cfg(feature = "aws-protocol")]
    pub(super) fn account_id(&self) -> &str {
        &self.account_id
    }

    #[cfg(feature = "aws-protocol")]
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
    /// Of a URL only the last two segments count, the account and the name, whatever host stands before them.
    pub(super) fn name_in<'a>(&self, address: &'a str) -> Option<&'a str> {
        if address.starts_with("arn:") {
            return self.name_in_arn(address);
        }
        let Some((before, name)) = address.rsplit_once('/') else {
            return Some(address);
        };
        let account_id = before.rsplit_once('/').map_or(before, |(_, segment)| segment);
        (account_id == self.account_id).then_some(name)
    }
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

    #[test]
    fn another_account_or_region_names_no_queue() {
        let addresses = Addresses::new("eu-west-1", "123456789012", None);
        for address in [
            "https://sqs.eu-west-1.amazonaws.com/210987654321/jobs",
            "queue/jobs",
            "/jobs",
            "arn:aws:sqs:eu-west-1:210987654321:jobs",
            "arn:aws:sqs:us-east-1:123456789012:jobs",
            "arn:aws:sns:eu-west-1:123456789012:jobs",
        ] {
            assert_eq!(addresses.name_in(address), None, "{address}");
        }
    }
}
