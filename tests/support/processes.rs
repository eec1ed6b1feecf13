//! Processes of the lab's pods: the nodes are network namespaces of this machine, so every container's
//! process is one of this machine too.

use std::fs;

use k8s_openapi::api::core::v1::Pod;

/// Processes of a pod's containers, its sandbox included. Their control group names the pod.
pub fn of(pod: &Pod) -> Vec<u32> {
    let group = format!("/pod{}/", pod.metadata.uid.as_deref().unwrap());
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| fs::read_to_string(format!("/proc/{id}/cgroup")).is_ok_and(|text| text.contains(&group)))
        .collect()
}
