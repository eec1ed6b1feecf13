//! What a pass would write, without writing: the same pairing and the same verdicts as
//! [`super::apply`]. Pure.

use kube::api::ApiResource;
use serde::Serialize;
use serde_json::Value;

use super::child::{Child, Live, Standing};
use super::difference::{FieldChange, differences, removals};
use super::drift::covers;
use super::immutable::{self, Remedy};
use super::{strays, waves};
use crate::desired::Desired;
use crate::names::{ANNOTATION_RENDERED, Identity};
use crate::snapshot::Children;

/// What would become of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It does not exist yet.
    Create,
    /// Fields of it change.
    Change,
    /// A field of it cannot be changed in place: it is deleted and made anew.
    Recreate,
    /// A field of it cannot be changed in place, and making it anew would lose something.
    Immutable,
    /// It is ours and wanted no more.
    Delete,
    /// It bears our name and is not ours: left untouched.
    Foreign,
    /// It belongs to an earlier cluster of this name, or is being deleted: waited for.
    Leftover,
}

/// One object that is not as it should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectChange {
    /// Where it is served.
    #[serde(skip)]
    pub resource: ApiResource,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What would become of it.
    pub action: Action,
    /// The fields that differ. None when only the record of what was rendered changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// Everything a pass would write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preview {
    /// Objects that are not as they should be, in the order of application; deletions last.
    pub changes: Vec<ObjectChange>,
    /// Objects that are as they should be.
    pub unchanged: usize,
}

impl ObjectChange {
    fn new(resource: &ApiResource, name: &str, action: Action, fields: Vec<FieldChange>) -> Self {
        let (resource, kind) = (resource.clone(), resource.kind.clone());
        Self { resource, kind, name: name.to_owned(), action, fields }
    }
}

/// Compares what is desired with what is there.
pub fn preview(identity: &Identity, desired: Desired, live: &Children) -> Preview {
    let [first, second] = waves(desired, live);
    let strays = strays(identity, &first, &second, live);
    let mut preview = Preview::default();
    for child in first.iter().chain(&second) {
        let (action, fields) = match child.standing(identity) {
            Standing::Missing => (Action::Create, Vec::new()),
            Standing::Foreign => (Action::Foreign, Vec::new()),
            Standing::Leftover => (Action::Leftover, Vec::new()),
            Standing::Ours(live)
                if live.digest.as_ref() == Some(&child.digest) && covers(&live.object, &child.rendered) =>
            {
                preview.unchanged += 1;
                continue;
            }
            Standing::Ours(live) => {
                let action = match immutable::find(child, live).map(|immutable| immutable.remedy) {
                    None => Action::Change,
                    Some(Remedy::Recreate | Remedy::RecreateAroundPods) => Action::Recreate,
                    Some(Remedy::Report) => Action::Immutable,
                };
                (action, fields(child, &live.object))
            }
        };
        preview.changes.push(ObjectChange::new(&child.resource, &child.name, action, fields));
    }
    let deletion = |stray: &Live| ObjectChange::new(&stray.resource, &stray.name, Action::Delete, Vec::new());
    preview.changes.extend(strays.iter().map(deletion));
    preview
}

fn fields(child: &Child, live: &Value) -> Vec<FieldChange> {
    let mut fields = differences(live, &child.rendered);
    fields.extend(removals(live, &child.rendered));
    let own_record = format!("metadata.annotations[{ANNOTATION_RENDERED}]");
    // A replica count that we stop sending passes to the autoscaler as it is.
    let handed_over = |change: &FieldChange| {
        child.resource.kind == "Deployment" && change.path == "spec.replicas" && change.new.is_none()
    };
    fields.retain(|change| change.path != own_record && !handed_over(change));
    if child.resource.kind == "Secret" {
        fields.iter_mut().for_each(hide);
    }
    fields
}

/// What stands for a value of a Secret.
pub const HIDDEN: &str = "(hidden)";

fn hide(change: &mut FieldChange) {
    if change.path.starts_with("data") || change.path.starts_with("stringData") {
        let hidden = |value: &mut Value| *value = Value::String(HIDDEN.to_owned());
        change.old.as_mut().map(hidden);
        change.new.as_mut().map(hidden);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::core::v1::{ConfigMap, Secret};
    use serde_json::json;

    use super::*;

    fn identity() -> Identity {
        Identity { namespace: "shop".to_owned(), name: "eaiser".to_owned(), uid: "u-1".to_owned() }
    }

    fn owned(kind: &str, value: &str) -> Value {
        let data = if kind == "Secret" { json!({"uri": value}) } else { json!({"rules.yaml": value}) };
        json!({
            "metadata": {"name": "eaiser-x", "ownerReferences": [
                {"apiVersion": "eaiser.io/v1alpha1", "kind": "EaiserCluster", "name": "eaiser", "uid": "u-1", "controller": true}
            ]},
            "data": data,
        })
    }

    fn config_map(value: &str) -> ConfigMap {
        serde_json::from_value(owned("ConfigMap", value)).unwrap()
    }

    /// As the API server has it after an apply of `rendered`.
    fn stored(rendered: &ConfigMap) -> ConfigMap {
        serde_json::from_value(Child::new(rendered, &[]).rendered).unwrap()
    }

    fn of(desired: Option<ConfigMap>, live: Option<ConfigMap>) -> Preview {
        let desired = Desired { config_maps: desired.into_iter().collect(), ..Desired::default() };
        let children =
            Children { config_maps: live.into_iter().map(Arc::new).collect(), ..Children::default() };
        preview(&identity(), desired, &children)
    }

    fn sealed(value: &str) -> ConfigMap {
        ConfigMap { immutable: Some(true), ..stored(&config_map(value)) }
    }

    #[test]
    fn what_cannot_be_changed_in_place_is_shown_as_made_anew() {
        let preview = of(Some(config_map("b")), Some(sealed("a")));
        assert_eq!(action(&preview), Some(Action::Recreate));
    }

    fn action(preview: &Preview) -> Option<Action> {
        preview.changes.first().map(|change| change.action)
    }

    #[test]
    fn what_is_as_rendered_is_unchanged() {
        let preview = of(Some(config_map("a")), Some(stored(&config_map("a"))));
        assert_eq!(preview, Preview { changes: Vec::new(), unchanged: 1 });
    }

    #[test]
    fn what_is_missing_is_created_and_what_is_wanted_no_more_is_deleted() {
        assert_eq!(action(&of(Some(config_map("a")), None)), Some(Action::Create));
        assert_eq!(action(&of(None, Some(stored(&config_map("a"))))), Some(Action::Delete));
    }

    #[test]
    fn a_changed_rendering_names_the_field_and_not_our_own_record() {
        let preview = of(Some(config_map("b")), Some(stored(&config_map("a"))));
        let paths: Vec<&str> = preview.changes[0].fields.iter().map(|field| field.path.as_str()).collect();
        assert_eq!((action(&preview), paths), (Some(Action::Change), vec!["data[rules.yaml]"]));
    }

    #[test]
    fn a_hand_edit_of_a_field_of_ours_would_be_put_right() {
        let mut edited = stored(&config_map("a"));
        edited.data = Some([("rules.yaml".to_owned(), "by hand".to_owned())].into());
        let preview = of(Some(config_map("a")), Some(edited));
        assert_eq!(preview.changes[0].fields[0].old, Some(json!("by hand")));
    }

    #[test]
    fn an_object_of_somebody_else_or_of_an_earlier_cluster_is_left_alone() {
        let with_owner = |owners: Value| {
            let mut object = owned("ConfigMap", "a");
            object["metadata"]["ownerReferences"] = owners;
            serde_json::from_value(object).unwrap()
        };
        let foreign = of(Some(config_map("a")), Some(with_owner(json!(null))));
        assert_eq!(action(&foreign), Some(Action::Foreign));
        let earlier = json!([{"apiVersion": "eaiser.io/v1alpha1", "kind": "EaiserCluster", "name": "eaiser", "uid": "u-0", "controller": true}]);
        let leftover = of(Some(config_map("a")), Some(with_owner(earlier)));
        assert_eq!(action(&leftover), Some(Action::Leftover));
    }

    #[test]
    fn no_value_of_a_secret_is_shown() {
        let secret = |value: &str| -> Secret { serde_json::from_value(owned("Secret", value)).unwrap() };
        let desired = Desired { secrets: vec![secret("bmV3")], ..Desired::default() };
        let children = Children { secrets: vec![Arc::new(secret("b2xk"))], ..Children::default() };
        let preview = preview(&identity(), desired, &children);
        let text = serde_json::to_string(&preview.changes).unwrap();
        assert!(text.contains("data.uri") && text.contains(HIDDEN), "{text}");
        assert!(!text.contains("bmV3") && !text.contains("b2xk"), "{text}");
    }
}
