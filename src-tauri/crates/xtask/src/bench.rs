//! Measured latency and memory: run by `vivavoce-cli bench`, beside a plain stitched run of the same models.

use std::process::Command;

use crate::{
    jobs::{NEEDED, install_models, prepare},
    node,
    shell::{built, root, run, step},
    system::Needs,
};

/// Prints the table.
///
/// # Errors
/// Something is missing, or a run fails.
pub(crate) fn bench(args: &[String]) -> anyhow::Result<()> {
    if let Some((_, args)) = args.split_first().filter(|(first, _)| *first == "--sound") {
        return sound(args);
    }
    prepare(Needs::Build)?;
    install_models(NEEDED)?;
    step("Measuring (leave the machine alone for some minutes)");
    // As the engine's own process has it, for the plain run beside it.
    let sleeping = [("OMP_WAIT_POLICY", "passive"), ("GOMP_SPINCOUNT", "10000")];
    run(Command::new(built("vivavoce-cli")).arg("bench").args(args).envs(sleeping))
}

/// Measures our sound against other clients' on a desktop of its own.
fn sound(args: &[String]) -> anyhow::Result<()> {
    prepare(Needs::Measure)?;
    let clients = node::ensure_pinned("measure")?;
    step(
        "Measuring sound beside a bare client, a Python one and a browser's (leave the machine alone for five minutes)",
    );
    let mut rig = Command::new("bash");
    rig.current_dir(root()).args(["tests/desktop/rig.sh", "python3", "tests/measure/measure.py", "--program"]);
    run(rig.arg(built("vivavoce-cli")).arg("--clients").arg(clients).args(args))
}
