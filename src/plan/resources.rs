//! Requests and limits of one container, defaults filled in and checked.

use super::Problem;
use super::quantity::{Bytes, Millicores};
use crate::crd::{ResourceAmounts, Resources};

/// Effective requests and limits. The texts are what the user wrote; the numbers are for arithmetic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerResources {
    /// CPU request.
    pub cpu_request: String,
    /// CPU limit; `None` means unthrottled.
    pub cpu_limit: Option<String>,
    /// Memory request.
    pub memory_request: String,
    /// Memory limit.
    pub memory_limit: String,
    /// The CPU the container can count on: its limit, or else its request.
    pub cpu: Millicores,
    /// The memory limit in bytes.
    pub memory: Bytes,
}

/// Fills `given` up with a tier's defaults; `field` is the path used in problems.
pub fn plan(
    given: &Resources,
    default_cpu: &str,
    default_memory: &str,
    field: &str,
    problems: &mut Vec<Problem>,
) -> ContainerResources {
    let none = ResourceAmounts::default();
    let requests = given.requests.as_ref().unwrap_or(&none);
    let limits = given.limits.as_ref().unwrap_or(&none);
    let cpu_request = requests.cpu.as_ref().or(limits.cpu.as_ref()).map_or(default_cpu, String::as_str);
    let memory_limit =
        limits.memory.as_ref().or(requests.memory.as_ref()).map_or(default_memory, String::as_str);
    let memory_request = requests.memory.as_deref().unwrap_or(memory_limit);
    let cpu_text = limits.cpu.as_deref().unwrap_or(cpu_request);
    let cpu = Millicores::parse(cpu_text).filter(|cpu| cpu.0 > 0);
    let memory = Bytes::parse(memory_limit).filter(|memory| memory.0 > 0);
    if cpu.is_none() {
        problems.push(Problem::new(
            format!("{field}.requests.cpu"),
            format!("`{cpu_text}` is not a CPU quantity above 0; write for example 500m"),
        ));
    }
    if memory.is_none() {
        problems.push(Problem::new(
            format!("{field}.limits.memory"),
            format!("`{memory_limit}` is not a memory quantity above 0; write for example 512Mi"),
        ));
    }
    ContainerResources {
        cpu_request: cpu_request.to_owned(),
        cpu_limit: limits.cpu.clone(),
        memory_request: memory_request.to_owned(),
        memory_limit: memory_limit.to_owned(),
        cpu: cpu.unwrap_or(Millicores(1)),
        memory: memory.unwrap_or(Bytes(1)),
    }
}
