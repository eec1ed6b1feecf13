//! The settings that the running operator works with. Without them every image that a spec leaves to
//! the operator would look changed.
//!
//! In this order: what the caller says, what the operator's Deployment says, what the operator wrote
//! into the live objects, the defaults of this program.

use std::collections::BTreeMap;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::EnvVar;
use kube::Api;
use kube::ResourceExt;
use kube::api::ListParams;
use serde::Serialize;
use serde_json::Value;

use crate::cli::kubernetes::Kubernetes;
use crate::crd::EaiserCluster;
use crate::names::{Identity, LABEL_NAME, OPERATOR, Tier};
use crate::settings::Settings;
use crate::snapshot::Children;
use crate::snapshot::children::find;

/// Variable by which an operator is confined to a namespace.
const CONFINED: &str = "EAISER_NAMESPACE";

/// Values of arguments, by the argument's id.
pub(in crate::cli) type Given = BTreeMap<String, Vec<String>>;

/// Settings that the caller gave by flag or variable.
pub(in crate::cli) fn given(matches: &ArgMatches) -> Given {
    let command = Settings::augment_args(Command::new(OPERATOR));
    let ids = command.get_arguments().map(|argument| argument.get_id().to_string());
    let given = ids.filter_map(|id| {
        let source = matches.value_source(&id)?;
        let values = matches.get_raw(&id)?.map(|value| value.to_string_lossy().into_owned());
        (source != ValueSource::DefaultValue).then(|| (id, values.collect()))
    });
    given.collect()
}

/// The environment of the operator that looks after `namespace`; none when there is none in a pod,
/// or the caller may not see it.
pub(super) async fn of_operator(
    kubernetes: &Kubernetes,
    namespace: &str,
) -> Option<BTreeMap<String, String>> {
    let parameters = ListParams::default().labels(&format!("{LABEL_NAME}={OPERATOR}"));
    let everywhere: Api<Deployment> = Api::all(kubernetes.client.clone());
    let found = if let Ok(list) = everywhere.list(&parameters).await {
        list.items
    } else {
        let here: Api<Deployment> = Api::namespaced(kubernetes.client.clone(), namespace);
        here.list(&parameters).await.ok()?.items
    };
    // One confined to this namespace comes before one for all.
    let confined = |deployment: &&Deployment| deployment.namespace().as_deref() == Some(namespace);
    let free =
        |deployment: &&Deployment| !environment(deployment).is_some_and(|all| all.contains_key(CONFINED));
    found.iter().find(confined).or_else(|| found.iter().find(free)).and_then(environment)
}

fn environment(deployment: &Deployment) -> Option<BTreeMap<String, String>> {
    let containers = &deployment.spec.as_ref()?.template.spec.as_ref()?.containers;
    let variables = containers.first()?.env.iter().flatten();
    let value = |variable: &EnvVar| {
        let field = variable.value_from.as_ref().and_then(|source| source.field_ref.as_ref());
        let is_namespace = field.is_some_and(|field| field.field_path == "metadata.namespace");
        if is_namespace { deployment.namespace() } else { variable.value.clone() }
    };
    Some(variables.filter_map(|variable| Some((variable.name.clone(), value(variable)?))).collect())
}

/// The settings, put together from what is known.
pub(super) fn settle(
    given: &Given,
    operator: Option<&BTreeMap<String, String>>,
    cluster: Option<&EaiserCluster>,
    children: &Children,
) -> Settings {
    let command = || Settings::augment_args(Command::new(OPERATOR).no_binary_name(true));
    let mut arguments = Vec::new();
    for argument in command().get_arguments() {
        let variable = argument.get_env().and_then(|name| operator?.get(name.to_str()?));
        let variable = || variable.filter(|value| !value.is_empty()).cloned().into_iter().collect();
        let values: Vec<String> = given.get(argument.get_id().as_str()).cloned().unwrap_or_else(variable);
        if let Some(long) = argument.get_long() {
            arguments.extend(values.into_iter().map(|value| format!("--{long}={value}")));
        }
    }
    let parsed =
        command().try_get_matches_from(arguments).and_then(|found| Settings::from_arg_matches(&found));
    let mut settings = parsed.unwrap_or_default();
    if let (None, Some(cluster)) = (operator, cluster) {
        infer(&mut settings, given, cluster, children);
    }
    settings
}

/// An image that the stored spec leaves open and that the operator itself wrote is its setting.
fn infer(settings: &mut Settings, given: &Given, cluster: &EaiserCluster, children: &Children) {
    let Some(identity) = Identity::of(&cluster.metadata) else { return };
    let spec = &cluster.spec;
    let mut take = |id: &str, left_open: bool, live: Option<Value>, container: &str| {
        let setting = match id {
            "gateway_image" => &mut settings.gateway_image,
            "mongodb_image" => &mut settings.mongodb_image,
            _ => &mut settings.redis_image,
        };
        if let Some(image) = live.and_then(|live| own_image(&live, container))
            && left_open
            && !given.contains_key(id)
        {
            *setting = image;
        }
    };
    let deployment = find(&children.deployments, &identity.tier(Tier::Gateway)).map(json);
    take("gateway_image", spec.gateway.image.is_none(), deployment, Tier::Gateway.as_str());
    let set = find(&children.stateful_sets, &identity.tier(Tier::MongoDb)).map(json);
    take("mongodb_image", spec.mongodb.image.is_none(), set, Tier::MongoDb.as_str());
    let shard = find(&children.stateful_sets, &identity.redis_shard(0)).map(json);
    take("redis_image", spec.redis.image.is_none(), shard, Tier::Redis.as_str());
    let gateway =
        cluster.status.as_ref().and_then(|status| status.endpoints.as_ref()).map(|all| &all.gateway);
    if let Some(domain) = gateway.and_then(|url| domain(url))
        && !given.contains_key("cluster_domain")
    {
        domain.clone_into(&mut settings.cluster_domain);
    }
}

fn json<K: Serialize>(object: &K) -> Value {
    // Kubernetes types have string keys only, so serialization cannot fail.
    serde_json::to_value(object).unwrap_or_default()
}

/// The image of a container, when the field is the operator's own and not somebody's edit.
fn own_image(object: &Value, container: &str) -> Option<String> {
    let key = format!("k:{{\"name\":\"{container}\"}}");
    let owned = object.pointer("/metadata/managedFields")?.as_array()?.iter().any(|entry| {
        let containers = entry.pointer("/fieldsV1/f:spec/f:template/f:spec/f:containers");
        let container = containers.and_then(|containers| containers.get(&key));
        entry["manager"] == OPERATOR && container.is_some_and(|container| container.get("f:image").is_some())
    });
    let containers = object.pointer("/spec/template/spec/containers")?.as_array()?;
    let found = containers.iter().find(|element| element["name"] == container)?;
    found["image"].as_str().filter(|_| owned).map(str::to_owned)
}

/// `http://eaiser-gateway.shop.svc.cluster.local:80` is in `cluster.local`.
fn domain(url: &str) -> Option<&str> {
    url.split_once(".svc.")?.1.split(':').next()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_the_caller_says_comes_before_what_the_operator_runs_with() {
        let operator =
            map(&[("EAISER_GATEWAY_IMAGE", "operator/nginx:1"), ("EAISER_REDIS_IMAGE", "operator/redis:1")]);
        let given = [("gateway_image".to_owned(), vec!["mine/nginx:2".to_owned()])].into();
        let settings = settle(&given, Some(&operator), None, &Children::default());
        assert_eq!(settings.gateway_image, "mine/nginx:2");
        assert_eq!(settings.redis_image, "operator/redis:1");
        assert_eq!(settings.mongodb_image, Settings::default().mongodb_image);
    }

    fn stored(manager: &str) -> Value {
        json!({
            "metadata": {"managedFields": [{"manager": manager, "fieldsV1": {"f:spec": {"f:template": {"f:spec": {
                "f:containers": {"k:{\"name\":\"nginx\"}": {"f:image": {}}}}}}}}]},
            "spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "live/nginx:3"}]}}},
        })
    }

    #[test]
    fn a_value_that_was_given_several_times_is_kept_whole() {
        let blocks = ["10.0.0.1/32", "10.0.0.2/32"].map(str::to_owned).to_vec();
        let given = [("operator_address_blocks".to_owned(), blocks.clone())].into();
        let settings = settle(&given, None, None, &Children::default());
        let found: Vec<String> =
            settings.network.operator_address_blocks.iter().map(ToString::to_string).collect();
        assert_eq!(found, blocks);
    }

    #[test]
    fn the_namespace_of_the_operator_is_that_of_its_deployment() {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"name": "eaiser-operator", "namespace": "eaiser-system"},
            "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "operator", "env": [
                {"name": "EAISER_OPERATOR_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
                {"name": "EAISER_NETWORK_POLICIES", "value": "false"},
            ]}]}}},
        }))
        .unwrap();
        let settings = settle(&Given::new(), environment(&deployment).as_ref(), None, &Children::default());
        assert_eq!(settings.network.operator_namespace.as_deref(), Some("eaiser-system"));
        assert!(!settings.network.enabled);
    }

    #[test]
    fn an_image_that_somebody_edited_is_no_setting_of_the_operator() {
        assert_eq!(own_image(&stored(OPERATOR), "nginx").as_deref(), Some("live/nginx:3"));
        assert_eq!(own_image(&stored("kubectl-set"), "nginx"), None);
        assert_eq!(own_image(&stored(OPERATOR), "redis"), None);
    }

    #[test]
    fn the_domain_is_read_off_the_endpoint() {
        assert_eq!(domain("http://eaiser-gateway.shop.svc.corp.example:80"), Some("corp.example"));
        assert_eq!(domain("nonsense"), None);
    }
}
