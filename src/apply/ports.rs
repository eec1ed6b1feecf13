//! Ports of a Service that somebody renumbered. Pure.
//!
//! Server-side apply knows a port by its number and protocol, so ours would be added beside the
//! renumbered one, and two ports of one name are refused with every pass.

use serde_json::Value;

use super::child::{Child, Live};

/// The list to put in place of the live one: ours, and those of others that do not bear our names.
/// None when server-side apply can do it.
pub fn replaced(child: &Child, live: &Live) -> Option<Value> {
    if child.resource.kind != "Service" {
        return None;
    }
    let ours = child.rendered.pointer("/spec/ports")?.as_array()?;
    let theirs = live.object.pointer("/spec/ports")?.as_array()?;
    let is_named_alike = |one: &Value, other: &Value| one["name"] == other["name"];
    let is_same = |one: &Value, other: &Value| ["port", "protocol"].iter().all(|key| one[key] == other[key]);
    let takes_a_name = |port: &&Value| {
        ours.iter().any(|our| is_named_alike(our, port)) && !ours.iter().any(|our| is_same(our, port))
    };
    theirs.iter().find(takes_a_name)?;
    let foreign = theirs.iter().filter(|port| {
        !ours.iter().any(|our| is_named_alike(our, port)) && !ours.iter().any(|our| is_same(our, port))
    });
    Some(ours.iter().chain(foreign).cloned().collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::core::v1::Service;
    use serde_json::json;

    use super::*;

    fn service(ports: &Value) -> Service {
        serde_json::from_value(json!({"metadata": {"name": "eaiser-gateway"}, "spec": {"ports": ports}}))
            .unwrap()
    }

    fn replaced_of(live: &Value) -> Option<Value> {
        let ours = json!([{"name": "http", "port": 80, "protocol": "TCP"}]);
        let child = Child::new(&service(&ours), &[Arc::new(service(live))]);
        replaced(&child, child.live.as_ref()?)
    }

    #[test]
    fn a_renumbered_port_gives_its_name_back_and_a_foreign_one_stays() {
        let foreign = json!({"name": "debug", "port": 9000, "protocol": "TCP"});
        let list = replaced_of(&json!([{"name": "http", "port": 81, "protocol": "TCP"}, foreign])).unwrap();
        assert_eq!(list, json!([{"name": "http", "port": 80, "protocol": "TCP"}, foreign]));
    }

    #[test]
    fn what_server_side_apply_can_mend_is_left_to_it() {
        assert_eq!(replaced_of(&json!([{"name": "http", "port": 80, "protocol": "TCP"}])), None);
        assert_eq!(replaced_of(&json!([{"name": "web", "port": 80, "protocol": "TCP"}])), None);
        assert_eq!(replaced_of(&json!([{"name": "other", "port": 81, "protocol": "TCP"}])), None);
    }
}
