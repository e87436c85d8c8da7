//! `portico completions SHELL`.

use clap_complete::{Shell, generate};

/// Which shell.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The shell to print completions for, as in: portico completions bash > ~/.local/share/bash-completion/completions/portico
    shell: Shell,
}

/// Writes the completions to standard output.
pub(crate) fn print(arguments: &Arguments, command: &mut clap::Command) {
    generate(arguments.shell, command, "portico", &mut std::io::stdout());
}
