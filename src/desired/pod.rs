//! Parts every pod shares: security, resources, placement, probes, volumes. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, ConfigMapVolumeSource, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource,
    HTTPGetAction, ObjectFieldSelector, PodAffinityTerm, PodAntiAffinity, PodSecurityContext, Probe,
    ResourceRequirements, SeccompProfile, SecretKeySelector, SecretVolumeSource, SecurityContext,
    TCPSocketAction, TopologySpreadConstraint, Volume, VolumeMount, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::plan::ContainerResources;

/// Node label of a host.
pub const HOST: &str = "kubernetes.io/hostname";
/// Node label of a zone.
pub const ZONE: &str = "topology.kubernetes.io/zone";

/// Pod-level security that passes Pod Security `restricted`; volumes belong to `user`'s group.
pub fn security(user: i64) -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(user),
        run_as_group: Some(user),
        fs_group: Some(user),
        // Without this the kubelet walks the whole data folder at every start.
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

/// Container-level security that passes Pod Security `restricted`, with a read-only root.
pub fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        ..SecurityContext::default()
    }
}

/// The end of a failed container's log becomes its termination message, which the status shows; so
/// the operator needs no right to read logs.
pub fn last_words() -> Option<String> {
    Some("FallbackToLogsOnError".to_owned())
}

/// Requests and limits.
pub fn resources(resources: &ContainerResources) -> ResourceRequirements {
    let quantity = |text: &String| Quantity(text.clone());
    let mut limits = BTreeMap::from([("memory".to_owned(), quantity(&resources.memory_limit))]);
    if let Some(cpu) = &resources.cpu_limit {
        limits.insert("cpu".to_owned(), quantity(cpu));
    }
    ResourceRequirements {
        requests: Some(BTreeMap::from([
            ("cpu".to_owned(), quantity(&resources.cpu_request)),
            ("memory".to_owned(), quantity(&resources.memory_request)),
        ])),
        limits: Some(limits),
        claims: None,
    }
}

/// A container port.
pub fn port(name: &str, number: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

/// An HTTP probe on a named port, without timing.
pub fn http_probe(path: &str, port: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(port.to_owned()),
            scheme: Some("HTTP".to_owned()),
            ..HTTPGetAction::default()
        }),
        ..Probe::default()
    }
}

/// A probe that connects to a named port, without timing.
pub fn tcp_probe(port: &str) -> Probe {
    Probe {
        tcp_socket: Some(TCPSocketAction { port: IntOrString::String(port.to_owned()), host: None }),
        ..Probe::default()
    }
}

/// Gives a probe its timing.
pub fn timed(probe: Probe, period_seconds: i32, timeout_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(timeout_seconds),
        failure_threshold: Some(failure_threshold),
        success_threshold: Some(1),
        ..probe
    }
}

/// Prefers hosts without another pod of `selector`; stronger with a larger `weight`.
pub fn apart(selector: LabelSelector, weight: i32) -> WeightedPodAffinityTerm {
    WeightedPodAffinityTerm {
        weight,
        pod_affinity_term: PodAffinityTerm {
            label_selector: Some(selector),
            topology_key: HOST.to_owned(),
            ..PodAffinityTerm::default()
        },
    }
}

/// Anti-affinity of preferences only, so that a small cluster still schedules every pod.
pub fn anti_affinity(terms: Vec<WeightedPodAffinityTerm>) -> Affinity {
    Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(terms),
            required_during_scheduling_ignored_during_execution: None,
        }),
        ..Affinity::default()
    }
}

/// Spreads pods evenly over a topology, when that is possible.
pub fn spread(selector: LabelSelector, topology: &str) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: topology.to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(selector),
        ..TopologySpreadConstraint::default()
    }
}

/// A literal variable.
pub fn variable(name: &str, value: impl Into<String>) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.into()), value_from: None }
}

/// A variable from a Secret.
pub fn secret_variable(name: &str, secret: String, key: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector { name: secret, key: key.to_owned(), optional: None }),
            ..EnvVarSource::default()
        }),
    }
}

/// A variable from the pod's own fields.
pub fn field_variable(name: &str, path: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: path.to_owned(),
                api_version: Some("v1".to_owned()),
            }),
            ..EnvVarSource::default()
        }),
    }
}

/// A scratch folder that lives as long as the pod.
pub fn scratch(name: &str) -> Volume {
    Volume { name: name.to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() }
}

/// A scratch folder in memory, for what must not touch a disk.
pub fn memory_scratch(name: &str) -> Volume {
    let source = EmptyDirVolumeSource {
        medium: Some("Memory".to_owned()),
        size_limit: Some(Quantity("1Mi".to_owned())),
    };
    Volume { name: name.to_owned(), empty_dir: Some(source), ..Volume::default() }
}

/// Files from a ConfigMap.
pub fn config_map_volume(name: &str, config_map: String) -> Volume {
    let source = ConfigMapVolumeSource {
        name: config_map,
        default_mode: Some(0o444),
        ..ConfigMapVolumeSource::default()
    };
    Volume { name: name.to_owned(), config_map: Some(source), ..Volume::default() }
}

/// Files from a Secret, readable by the pod's user and group alone.
pub fn secret_volume(name: &str, secret: String) -> Volume {
    let source = SecretVolumeSource {
        secret_name: Some(secret),
        default_mode: Some(0o440),
        ..SecretVolumeSource::default()
    };
    Volume { name: name.to_owned(), secret: Some(source), ..Volume::default() }
}

/// Mounts a volume.
pub fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount { name: name.to_owned(), mount_path: path.to_owned(), ..VolumeMount::default() }
}

/// Mounts a volume that is never written.
pub fn mount_read_only(name: &str, path: &str) -> VolumeMount {
    VolumeMount { read_only: Some(true), ..mount(name, path) }
}
