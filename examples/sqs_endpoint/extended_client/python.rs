//! A Python that has Amazon's extended client.

use {
    std::{
        env, fs, io,
        path::{Path, PathBuf},
        sync::OnceLock,
        time::Duration,
    },
    tokio::{process::Command, time},
};

const PACKAGES: &str = "amazon-sqs-extended-client==1.0.1 boto3==1.44.8";

const INSTALL_LIMIT: Duration = Duration::from_secs(300);

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients/extended_client.py");
const SCRIPT_LIMIT: Duration = Duration::from_secs(60);

/// How much of a line is passed on: some have a whole body.
const LINE: usize = 400;

/// The interpreter that `REQUEUE_PYTHON` names, else one with the packages below the target directory; why there is none.
pub(crate) fn interpreter() -> Result<&'static Path, &'static str> {
    static INTERPRETER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let interpreter = INTERPRETER.get_or_init(|| match env::var_os("REQUEUE_PYTHON") {
        Some(named) => Ok(named.into()),
        None => installed(),
    });
    interpreter.as_deref().map_err(|why| &**why)
}

fn installed() -> Result<PathBuf, String> {
    let folder = folder().map_err(|error| error.to_string())?.join("venv");
    let (python, complete) = (folder.join("bin/python"), folder.join("packages"));
    if python.exists() && fs::read_to_string(&complete).is_ok_and(|packages| packages == PACKAGES) {
        return Ok(python);
    }
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(&folder);
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--retries", "1", "--timeout", "15"])
        .args(PACKAGES.split(' '));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        run(&mut venv, INSTALL_LIMIT).await?;
        run(&mut pip, INSTALL_LIMIT).await
    })?;
    fs::write(complete, PACKAGES).map_err(|error| error.to_string())?;
    Ok(python)
}

/// Below the target directory, by the place of the test.
fn folder() -> io::Result<PathBuf> {
    let test = env::current_exe()?;
    let profile = test.ancestors().nth(2).unwrap_or(&test);
    Ok(profile.join("extended_client"))
}

/// Runs the script without any setting of the user.
pub(crate) async fn run_script(python: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Result<(), String> {
    let home = folder().map_err(|error| error.to_string())?.join("home");
    fs::create_dir_all(&home).map_err(|error| error.to_string())?;
    let mut command = Command::new(python);
    command.env_clear().envs(settings.iter().copied()).env("HOME", home);
    command.env("NO_PROXY", "*").env("PYTHONDONTWRITEBYTECODE", "1");
    run(command.arg(SCRIPT).args(arguments), SCRIPT_LIMIT).await
}

/// Ends the command if it takes longer than `limit`; what it said if it fails.
async fn run(command: &mut Command, limit: Duration) -> Result<(), String> {
    let output = time::timeout(limit, command.kill_on_drop(true).output()).await;
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let output = output.map_err(|_| format!("{program} took longer than {limit:?}"))?;
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines = said
        .lines()
        .map(|line| line.chars().take(LINE).chain(['\n']).collect::<String>());
    Err(format!("{program}: {}\n{}", output.status, lines.collect::<String>()))
}
