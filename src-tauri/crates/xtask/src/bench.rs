//! Measured latency and memory: run by `vivavoce-cli bench`, beside a plain stitched run of the same models.

use std::process::Command;

use crate::{
    jobs::{NEEDED, install_models, prepare},
    shell::{built, run, step},
    system::Needs,
};

/// Prints the table.
///
/// # Errors
/// Something is missing, or a run fails.
pub(crate) fn bench(args: &[String]) -> anyhow::Result<()> {
    prepare(Needs::Build)?;
    install_models(NEEDED)?;
    step("Measuring (leave the machine alone for some minutes)");
    // As the engine's own process has it, for the plain run beside it.
    let sleeping = [("OMP_WAIT_POLICY", "passive"), ("GOMP_SPINCOUNT", "10000")];
    run(Command::new(built("vivavoce-cli")).arg("bench").args(args).envs(sleeping))
}
