//! Starts a pod's program as a kubelet would: its own root file system, read-only, with nothing but the program, its
//! libraries and the pod's volumes; the pod's user without capabilities; a network of its own.
//!
//! It takes the namespaces of `bywash_tests::alone`. What the pods are, and what is expected of them, is not here.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use bywash_tests::alone::is_root;

use super::workload::{Mount, Pod};

/// The image of a pod, as far as it matters to the program.
#[derive(Debug)]
pub struct Image {
    /// The program on this machine.
    pub program: PathBuf,
    /// Where the image has it.
    pub entrypoint: String,
    /// `ENV` of the image.
    pub environment: BTreeMap<String, String>,
    /// Folders of this machine that the image holds, with their place there.
    pub folders: Vec<(PathBuf, String)>,
}

/// Pods under one network.
#[derive(Debug)]
pub struct Sandbox {
    folder: PathBuf,
    hosts: String,
    pods: Vec<Running>,
}

/// A pod that was started.
#[derive(Debug)]
pub struct Running {
    /// What it was started from.
    pub pod: Pod,
    child: Child,
    log: PathBuf,
}

impl Sandbox {
    /// An empty one. `names` are host names that lead to the pods: their services'.
    pub fn new(test: &str, names: &[String]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pods-{test}"));
        if let Err(error) = fs::remove_dir_all(&folder) {
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{}: {error}", folder.display());
        }
        fs::create_dir_all(&folder).expect("the target folder is writable");
        Self { folder, hosts: format!("127.0.0.1 localhost {}\n", names.join(" ")), pods: Vec::new() }
    }

    /// Starts a pod. `mounts` are its volumes.
    pub fn start(&mut self, pod: &Pod, image: &Image, mounts: &[Mount]) {
        let folder = self.folder.join(&pod.name);
        let root = folder.join("root");
        let mut script = vec!["set -eu".to_owned(), format!("mount --bind {0} {0}", quoted(&root))];
        self.image(&root, image, &mut script);
        for (number, mount) in mounts.iter().enumerate() {
            let source = volume(&folder.join(format!("volume-{number}")), mount, id(pod, "fsGroup"));
            let target = inside(&root, &mount.path);
            fs::create_dir_all(&target).expect("writable");
            script.push(bind(&source, &target, mount.read_only));
        }
        script.push(format!("mount -o remount,bind,ro {}", quoted(&root)));
        script.push(format!("exec {} \"$@\"", enter(pod, &root)));

        let log = folder.join("log");
        let output = File::create(&log).expect("writable");
        let child = Command::new("unshare")
            .args(["--mount", "sh", "-c", &script.join("\n"), "sh"])
            .arg(&image.entrypoint)
            .args(pod.arguments())
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOSTNAME", &pod.name)
            // Every pod has these of the API server's service, whatever its spec says.
            .envs([("KUBERNETES_SERVICE_HOST", "10.96.0.1"), ("KUBERNETES_SERVICE_PORT", "443")])
            .envs(&image.environment)
            .envs(pod.environment())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file can be shared"))
            .stderr(output)
            .spawn()
            .expect("unshare (util-linux) is installed");
        self.pods.push(Running { pod: pod.clone(), child, log });
    }

    /// The file system of the image: what the base image has of use, the program and its libraries.
    fn image(&self, root: &Path, image: &Image, script: &mut Vec<String>) {
        for folder in ["etc", "tmp", "proc", "sys", "dev", "home/nonroot"] {
            fs::create_dir_all(root.join(folder)).expect("writable");
        }
        for (path, text) in [
            ("etc/hosts", self.hosts.as_str()),
            ("etc/nsswitch.conf", "hosts: files dns\n"),
            ("etc/resolv.conf", ""),
            ("etc/passwd", "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"),
        ] {
            fs::write(root.join(path), text).expect("writable");
        }
        for device in ["dev/null", "dev/zero", "dev/random", "dev/urandom"] {
            fs::write(root.join(device), "").expect("writable");
            script.push(format!("mount --bind /{device} {}", quoted(&root.join(device))));
        }
        for folder in ["proc", "sys"] {
            script.push(format!("mount --rbind /{folder} {}", quoted(&root.join(folder))));
        }
        for library in libraries(&image.program) {
            copy(&library, &inside(root, &library.to_string_lossy()));
        }
        let program = inside(root, &image.entrypoint);
        fs::create_dir_all(program.parent().expect("the entry point is absolute")).expect("writable");
        fs::write(&program, "").expect("writable");
        script.push(bind(&image.program, &program, true));
        for (source, path) in &image.folders {
            let target = inside(root, path);
            fs::create_dir_all(&target).expect("writable");
            script.push(bind(source, &target, true));
        }
    }

    /// The pods of this sandbox, in the order of their start.
    pub fn pods(&mut self) -> &mut [Running] {
        &mut self.pods
    }

    /// What all pods have said so far; for the message of a failing test.
    pub fn logs(&self) -> String {
        self.pods.iter().map(|one| format!("--- {}\n{}", one.pod.name, one.log())).collect()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for one in &mut self.pods {
            // It may have ended by itself.
            let _ = one.child.kill();
            let _ = one.child.wait();
        }
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

impl Running {
    /// What it wrote.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the kernel knows its child")
    }

    /// Sends SIGTERM, as a kubelet does.
    pub fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    }

    /// Why this process does not run as its pod asks; empty if it does. Call it once the program has started.
    pub fn privileges(&self) -> Vec<String> {
        let read =
            |file: &str| fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("it runs");
        let status = read("status");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let user = id(&self.pod, "runAsUser");
        let mut wrong = Vec::new();
        // Seen from the user namespace outside, the pod's user has another number.
        if is_root() && field("Uid:") != [user; 4].map(|id| id.to_string()).join(" ") {
            wrong.push(format!("its user is {}, not {user}", field("Uid:")));
        }
        if !field("CapEff:").trim_matches('0').is_empty() {
            wrong.push(format!("it has capabilities {}", field("CapEff:")));
        }
        if field("NoNewPrivs:") != "1" {
            wrong.push("it could gain privileges".to_owned());
        }
        let mounts = read("mountinfo");
        let root =
            mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|fields| fields[4] == "/");
        if !root.is_some_and(|fields| fields[5].split(',').any(|option| option == "ro")) {
            wrong.push("its root file system is writable".to_owned());
        }
        wrong
    }
}

/// Waits until `probe` answers, or panics with `describe`.
pub fn wait<T>(
    limit: Duration,
    mut probe: impl FnMut() -> Option<T>,
    describe: impl FnOnce() -> String,
) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "not within {limit:?}: {}", describe());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The command that enters the root file system as the pod's user.
fn enter(pod: &Pod, root: &Path) -> String {
    let (user, own, shared) = (id(pod, "runAsUser"), id(pod, "runAsGroup"), id(pod, "fsGroup"));
    let root = quoted(root);
    if is_root() {
        format!("setpriv --no-new-privs chroot --userspec={user}:{own} --groups={shared} {root}")
    } else {
        format!(
            "setpriv --no-new-privs unshare --user --map-user={user} --map-group={own} --root={root} --wd=/"
        )
    }
}

/// A volume as the kubelet makes it: root's, and writable or readable for the pod's group.
fn volume(folder: &Path, mount: &Mount, group: u32) -> PathBuf {
    fs::create_dir_all(folder).expect("writable");
    for (name, text, mode) in &mount.files {
        let path = folder.join(name);
        fs::write(&path, text).expect("writable");
        owned(&path, group, *mode);
    }
    owned(folder, group, 0o2775);
    folder.to_owned()
}

fn owned(path: &Path, group: u32, mode: u32) {
    if is_root() {
        chown(path, Some(0), Some(group)).expect("root may give a file away");
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

fn id(pod: &Pod, field: &str) -> u32 {
    let id = pod.spec["securityContext"][field].as_u64().and_then(|id| u32::try_from(id).ok());
    id.unwrap_or_else(|| panic!("{} says no {field}", pod.name))
}

/// The shared libraries that a program loads, its loader among them; none for a static one.
pub fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().expect("ldd is part of the C library");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("not found"), "{} misses libraries: {text}", program.display());
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    text.lines().filter_map(path).collect()
}

fn copy(library: &Path, target: &Path) {
    fs::create_dir_all(target.parent().expect("libraries have absolute paths")).expect("writable");
    fs::copy(library, target).unwrap_or_else(|error| panic!("{}: {error}", library.display()));
}

fn inside(root: &Path, absolute: &str) -> PathBuf {
    root.join(absolute.trim_start_matches('/'))
}

fn bind(source: &Path, target: &Path, read_only: bool) -> String {
    let mounted = format!("mount --bind {} {}", quoted(source), quoted(target));
    if read_only { format!("{mounted}\nmount -o remount,bind,ro {}", quoted(target)) } else { mounted }
}

fn quoted(path: &Path) -> String {
    let path = path.to_str().expect("paths of the workspace are text");
    assert!(!path.contains('\''), "{path} has a quote");
    format!("'{path}'")
}
