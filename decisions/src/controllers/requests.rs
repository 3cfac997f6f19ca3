//! Mirrors `meta/annotations.go` of fluxcd/pkg/apis (meta 1.30) and `reconcile/result.go` of fluxcd/pkg/runtime 0.110: requests for a
//! reconcile, and when one has been handled.

use serde_json::Value;

use super::flux::Condition;

/// What a controller says of an object once it has handled a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handled {
    /// `Ready` is True and nothing is Stalled.
    pub ready: bool,
    /// Not tried again until the object changes.
    pub stalled: bool,
    /// The condition's reason.
    pub reason: String,
    /// The condition's message.
    pub message: String,
}

/// The controller's word on an object whose request `token` it has handled; `None` until then.
///
/// Both controllers write the token with the conditions of the same run.
pub fn handled(object: &Value, token: &str) -> Option<Handled> {
    let status = &object["status"];
    if status["lastHandledReconcileAt"] != token {
        return None;
    }
    let conditions: Vec<Condition> =
        serde_json::from_value(status["conditions"].clone()).unwrap_or_default();
    let told = super::conditions::readiness(&conditions);
    Some(Handled {
        ready: told.ready == "True" && !told.stalled,
        stalled: told.stalled,
        reason: told.reason.to_owned(),
        message: told.message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_token_tells_that_the_conditions_are_of_this_run() {
        let object = json!({"status": {
            "lastHandledReconcileAt": "2",
            "conditions": [{"type": "Ready", "status": "False", "reason": "Failed", "message": "no"}],
        }});
        assert_eq!(handled(&object, "1"), None);
        let told = handled(&object, "2").unwrap();
        assert_eq!((told.ready, told.message.as_str()), (false, "no"));
        assert_eq!(handled(&json!({}), "1"), None);
    }
}
