//! An operator's account that lies outside of the namespace it looks after, with the chart's rights
//! everywhere: the one that survives the end of that namespace.

use std::process::Command;

use crate::support::{World, lab, operator};

/// Rights that are taken back when this is dropped.
pub(super) struct Account {
    manifest: std::path::PathBuf,
}

/// Makes an account in `home` and has the operators of `watched` act as it.
pub(super) fn outside(home: &World, watched: &World) -> Account {
    let name = format!("outside-{}", watched.namespace);
    let chart = lab::repository().join("charts/eaiser-operator");
    let mut template = Command::new("helm");
    template.args(["template", &name]).arg(&chart).args(["--namespace", &home.namespace]);
    template.args(["--show-only", "templates/rbac.yaml", "--show-only", "templates/service-account.yaml"]);
    let manifest = home.directory.join(format!("{name}.yaml"));
    std::fs::write(&manifest, lab::run(template)).unwrap();
    home.kubectl(&["apply", "--filename", manifest.to_str().unwrap()]);
    let content = operator::kubeconfig_of(home, &name);
    std::fs::write(watched.directory.join("operator.kubeconfig"), content.to_string()).unwrap();
    Account { manifest }
}

impl Drop for Account {
    fn drop(&mut self) {
        let mut delete = Command::new("kubectl");
        delete.args(["delete", "--ignore-not-found", "--filename"]).arg(&self.manifest);
        let _ = delete.output();
    }
}
