"""What a hostile experiment tries, how its success is seen, and what each tier of the sandbox claims about it.

One row an attack; the program is attacks/NAME.py. docs/security.md holds the same rows for people, and a test compares
the two. The claims were written before the sandbox was.

`signs` say how success is seen, from outside wherever that is possible:

    leak      a planted secret stands in what the job wrote (stdout, stderr, its run folder)
    change    a file of the machine that is not the job's own differs afterwards: content, mode, owner, time
    reached   a canary server outside the job got what the attack sent, or could talk to it
    killed    a process that is not the job's died, was stopped or was tampered with
    alive     a process of the job lives after its outcome
    forged    the recorded outcome, or the results that the tool accepts, are the attack's invention
    stuck     the tool's own reader of the results hangs, crashes or takes what it must not take
    mark      the attack says itself that it got through (`REACHED part`): used where only the kernel could tell

Cells: "contained" no sign at all, not only none of this row's; "not" the signs of the row are seen; "limited: why" the
attack gets only the parts named in `partly`, or gets through for one kind of user only (`open_to`).
"""

from __future__ import annotations

from dataclasses import dataclass

CONTAINED, NOT = "contained", "not"


@dataclass(frozen=True)
class Attack:
    name: str
    tries: str
    signs: tuple[str, ...]
    bwrap: str = CONTAINED
    landlock: str = CONTAINED
    none: str = NOT
    partly: tuple[str, ...] = ()  # the marks that a "limited" cell shows
    open_to: tuple[str, ...] = ("root", "user")  # for whom a cell that is not "contained" is so; for the other it is
    since: int = 0  # Landlock's ABI from which on its cell is "contained"; before, or while unsaid, it is open
    root_only: bool = False  # an ordinary user cannot do it even without a sandbox
    ending: str = ""  # how the job has to end in every tier that contains it
    seconds: float = 6.0  # the job's time limit
    network: str = "none"  # of the job's profile
    evaluated: bool = False  # the job has a second command, which writes the results itself

    def claim(self, tier: str) -> str:
        return str(getattr(self, tier)).partition(":")[0]

    def cell(self, tier: str) -> str:
        """For people."""
        said = str(getattr(self, tier))
        if tier != "landlock" or not self.since:
            return said
        return (
            f"{said} (from ABI {self.since} on)"
            if said == CONTAINED
            else f"{said} (contained from ABI {self.since} on)"
        )


def resource(
    name: str, tries: str, signs: tuple[str, ...] = ("mark",), ending: str = "limit", **more: object
) -> Attack:
    """A row about a limit: the launcher keeps it in every tier. Without any limit it reaches its mark."""
    return Attack(name, tries, signs, none=CONTAINED, ending=ending, **more)  # type: ignore[arg-type]


LIMITS = (
    resource("fork_bomb", "processes that fork until there are 400", ending=""),
    resource("memory_hog", "one process touches 600 MB"),
    resource("memory_many", "ten processes touch 60 MB each"),
    resource("memory_shared", "600 MB in files that exist only in memory (memfd)"),
    resource("disk_one_file", "one file of 80 MB"),
    resource("disk_many_files", "80 MB in small files"),
    resource("disk_deleted_file", "80 MB in a file that is open but has no name any more"),
    resource("disk_closed_folder", "80 MB in a folder that nobody may look into, itself neither"),
    resource("disk_closed_again", "80 MB in a folder that it closes again and again"),
    resource("disk_empty_files", "20 000 empty files"),
    resource("disk_in_tmp", "80 MB in TMPDIR, HOME and the checkpoint folder together"),
    resource("stdout_flood", "60 MB of lines on stdout"),
    resource("endless_line", "60 MB on stderr without a line's end"),
    resource("never_ends", "never ends, ignores SIGTERM", ("mark",), "timeout", seconds=1.0),
    resource(
        "descendants", "ends with children left: a new session, forked twice, SIGTERM ignored", ("alive",), "finished"
    ),
    resource("open_files", "opens 6000 files", ("mark",), "finished"),
    resource("core_dump", "crashes with 50 MB in memory, to leave a core file", ("mark",), "finished"),
    resource("raises_limits", "raises its own limits again, then opens 6000 files", ("mark",), "finished"),
    Attack("fills_shm", "300 MB in /dev/shm", ("mark",), landlock=NOT),
    Attack("fills_tmp", "300 MB in /tmp", ("mark",)),
)

SECRETS = (
    Attack("ssh_key", "reads ~/.ssh/id_rsa, by the password file's home", ("leak",)),
    Attack("home_files", "searches the home folder for credentials: .netrc, .aws, .config", ("leak",)),
    Attack("own_environment", "reads keys of the tool's environment from its own", ("leak",), none=CONTAINED),
    Attack("environ_of_tool", "reads the key from /proc/PID/environ of the program that started it", ("leak",)),
    Attack("environ_of_launcher", "reads keys from /proc/PID/environ of launcher and reaper", ("leak",), none=CONTAINED),
    Attack("environ_of_bystander", "reads the key from /proc/PID/environ of an unrelated process of the user", ("leak",)),
    Attack("environ_of_all", "reads every /proc/*/environ that it can", ("leak",)),
    Attack("cmdline_of_all", "reads a token on another process's command line", ("leak",), landlock=NOT),
    Attack("memory_of_tool", "reads the key from /proc/PID/mem of the program that started it", ("leak",)),
    Attack("memory_of_launcher", "reads the key from /proc/PID/mem of launcher and reaper, which keep it out of the logs", ("leak",),
           root_only=True),
    Attack("memory_of_bystander", "process_vm_readv and /proc/PID/mem of an unrelated process", ("leak",)),
    Attack("open_file_of_bystander", "opens another process's deleted file by /proc/PID/fd, and pidfd_getfd", ("leak",)),
    Attack("root_of_bystander", "reads the home folder by /proc/PID/root and /proc/PID/cwd", ("leak",)),
    Attack("shadow", "reads /etc/shadow and another user's private file", ("leak",), root_only=True),
    Attack("sysv_memory", "attaches another process's System V shared memory", ("leak",), landlock=NOT),
    Attack("shm_file", "reads another process's file in /dev/shm", ("leak",), landlock=NOT),
    Attack("user_keyring", "reads a key from the user's kernel keyring", ("leak",)),
    Attack("sealed_file", "reads the sealed held-out data by its name", ("leak",)),
    Attack("sealed_by_link", "reads the sealed data by a link in its run folder and by /proc/self/cwd", ("leak",)),
    Attack("sealed_in_git", "reads the sealed data out of the study's git objects", ("leak",)),
    Attack("journal_read", "reads the study's journal (what other runs measured, what models were told)", ("leak",)),
    Attack("docker_socket", "talks to /run/docker.sock", ("reached",), landlock=NOT, since=9),
    Attack("agent_socket", "talks to an ssh-agent's socket in /tmp", ("reached",), landlock=NOT, since=9),
    Attack("abstract_socket", "talks to an abstract Unix socket of the machine", ("reached",), since=6),
    Attack("names_and_sizes", "asks for the size of ~/.ssh/id_rsa with stat()", ("mark",),
           landlock="limited: Landlock does not cover stat(): whoever knows a name learns that the file exists, its size and "
                    "times, never its content", partly=("size",)),
)  # fmt: skip

FILES = (
    Attack("home_write", "writes .bashrc, a systemd user unit and authorized_keys in the home folder", ("change",)),
    Attack("system_write", "writes /etc/cron.d, /etc/passwd and /usr/local/bin", ("change",), root_only=True),
    Attack("host_tmp", "writes into the machine's /tmp, /var/tmp and /dev/shm, and changes a file of the user there", ("change",),
           landlock="limited: /dev/shm is shared with the machine", partly=("/dev/shm/hostile-note",)),
    Attack("frozen_overwrite", "overwrites the frozen harness and template.toml", ("change",)),
    Attack("frozen_replace", "renames, deletes and replaces files of the harness", ("change",)),
    Attack("frozen_by_symlink", "writes a frozen file through a symlink in its run folder", ("change",)),
    Attack("frozen_by_hardlink", "writes a frozen file through a hard link in its run folder", ("change",)),
    Attack("frozen_rights", "changes mode and times of frozen files", ("change",),
           landlock="not"),
    Attack("run_folder_replaced", "replaces its run folder by a link to another run", ("change", "mark"),),
    Attack("other_run", "changes another run's results", ("change",)),
    Attack("other_study", "changes another study and its journal", ("change",)),
    Attack("git_edit", "edits .git: a hook, the index, a ref", ("change",)),
    Attack("journal_edit", "appends a better result to the journal", ("change",)),
    Attack("study_deleted", "deletes the whole study", ("change",)),
    Attack("own_folders_deleted", "deletes its run folder's content, its HOME and TMPDIR, and the attempt folder", ("change",)),
    Attack("interpreter_poison", "sitecustomize.py and a .pth file into the interpreter's folders", ("change",)),
    Attack("import_poison", "modules and byte code in the study, for the evaluation to import", ("change", "forged"), evaluated=True),
    Attack("attempt_status", "writes its own good outcome into status.json and ends badly", ("forged", "change")),
    Attack("attempt_job", "rewrites job.json so that the evaluation is another program", ("change", "forged"), evaluated=True),
    Attack("attempt_lock", "removes the attempt's lock and asks for a stop", ("change", "forged")),
    Attack("attempt_logs", "empties its logs after writing what it would hide", ("change",), since=3),
    Attack("device_node", "makes a device node in its run folder and opens it", ("mark",), root_only=True),
    Attack("hostname", "renames the machine", ("change",), root_only=True),
)  # fmt: skip

NETWORK = (
    Attack("loopback_tcp", "connects to a service on 127.0.0.1 and ::1 of the machine", ("reached",)),
    Attack("loopback_udp", "sends a datagram to a service on 127.0.0.1", ("reached",)),
    Attack("outside_tcp", "connects to an address of the outside", ("reached",)),
    Attack("outside_udp", "sends a secret to the outside in a datagram", ("reached",)),
    Attack("name_lookup", "resolves a name, which carries data out", ("reached",)),
    Attack("offers_port", "binds a port on all interfaces for others to connect to", ("reached",)),
    Attack("listening_daemon", "leaves a listening daemon behind", ("reached", "alive"), none=CONTAINED),
    Attack("raw_socket", "opens raw and packet sockets", ("mark",), root_only=True),
)

NO_START = "contained: a job that wants the hub does not start"
HUB = (
    Attack("hub_other_host", "asks for another host: by name, by address, by names that look like the hub's, in plain HTTP",
           ("reached",), landlock=NO_START, network="hub"),
    Attack("hub_other_service", "asks for services of this machine: by address, and by a name of the hub's that leads there",
           ("reached",), landlock=NO_START, network="hub"),
    Attack("hub_other_port", "asks the hub for another port than that of HTTPS", ("reached",), landlock=NO_START, network="hub"),
    Attack("hub_other_server", "a tunnel to the hub's addresses, and in it no TLS, or TLS with another server at the same address",
           ("reached",), landlock=NO_START, network="hub"),
    Attack("hub_beside", "connects directly to the hub and to others, beside the proxy", ("reached",), landlock=NO_START, network="hub"),
    Attack("hub_lookup", "puts a secret into a name below the hub's, which the hub's name servers then see", ("reached",),
           bwrap=NOT, landlock=NO_START, network="hub"),
    Attack("hub_upload", "uploads a secret to the hub itself, as with a token that it brought along", ("reached",),
           bwrap=NOT, landlock=NO_START, network="hub"),
)  # fmt: skip

PROCESSES = (
    Attack("kills_bystander", "SIGKILL to another process of the user", ("killed",), since=6),
    Attack("kills_all", "SIGKILL to every process (kill -1)", ("killed",), since=6),
    Attack("kills_launcher", "SIGKILL to its launcher and reaper", ("killed",), since=6),
    Attack("stops_launcher", "SIGSTOP to its launcher, so that no limit is kept", ("killed",), seconds=2.0, since=6),
    Attack("traces_bystander", "ptrace-attaches another process", ("mark",)),
    Attack("limits_bystander", "sets another process's limits with prlimit", ("killed",)),
    Attack(
        "renices_bystander",
        "slows another process: priority, one core, first to be killed for memory",
        ("killed",),
        landlock="limited: contained for root, not for ordinary users",
        open_to=("user",),
    ),
    Attack("writes_terminal", "writes to the user's terminal", ("reached",)),
    Attack("types_into_terminal", "types into the user's terminal (TIOCSTI)", ("reached",), root_only=True),
)

KERNEL = (
    Attack("capabilities", "has any capability, or may gain privileges by a program", ("mark",)),
    Attack("setuid_program", "runs a set-user-id program", ("mark",)),
    Attack("mounts", "mounts a file system over its study, chroots", ("mark",), root_only=True),
    Attack("nested_namespaces", "becomes root in a user namespace of its own and mounts there", ("mark",)),
    Attack("uses_io_uring", "io_uring_setup", ("mark",)),
    Attack("uses_bpf", "loads a BPF program", ("mark",), root_only=True),
    Attack("uses_keyctl", "adds a key to the kernel's keyring", ("mark",)),
    Attack("uses_userfaultfd", "userfaultfd", ("mark",)),
    Attack("uses_perf", "perf_event_open on itself", ("mark",)),
    Attack("higher_priority", "nice -20 and real-time scheduling", ("mark",), root_only=True),
)

RESULTS = (
    Attack(
        "results_by_hand",
        "writes splendid final_info.json, then the evaluation fails",
        ("forged",),
        none=CONTAINED,
        evaluated=True,
    ),
    Attack(
        "results_patched",
        "patches the harness in memory, writes results, makes them read-only",
        ("forged",),
        none=CONTAINED,
        evaluated=True,
    ),
    Attack(
        "results_late",
        "leaves a process that writes splendid results after the evaluation",
        ("forged",),
        none=CONTAINED,
        evaluated=True,
    ),
    Attack("results_fifo", "final_info.json is a FIFO", ("stuck",), none=CONTAINED),
    Attack("results_socket", "final_info.json is a socket", ("stuck",), none=CONTAINED),
    Attack("results_folder", "final_info.json is a folder", ("stuck",), none=CONTAINED),
    Attack("results_dangling", "final_info.json is a symlink to nothing", ("stuck",), none=CONTAINED),
    Attack("results_linked", "final_info.json is a symlink to splendid results elsewhere", ("forged",), none=CONTAINED),
    Attack("results_device", "final_info.json is /dev/zero", ("stuck",), none=CONTAINED),
    Attack("results_sparse", "final_info.json is a sparse file of 1 GB", ("stuck",), none=CONTAINED),
    Attack("results_nested", "final_info.json is 100 000 brackets deep", ("stuck",), none=CONTAINED),
    Attack("odd_names", "file names with line ends and invalid UTF-8 in the run folder", ("stuck",), none=CONTAINED),
)

GROUPS = {
    "Limits": LIMITS,
    "Secrets": SECRETS,
    "Files": FILES,
    "Network": NETWORK,
    'Where `network = "hub"`': HUB,
    "Processes": PROCESSES,
    "Kernel": KERNEL,
    "Results": RESULTS,
}
HONEST = Attack(
    "honest", "an experiment as it should be: what contains everything must not break this", (), evaluated=True
)
ATTACKS = {attack.name: attack for rows in GROUPS.values() for attack in rows}


def table(rows: tuple[Attack, ...]) -> str:
    """As it stands in docs/security.md: `python -m tests.hostile.table` prints all of them."""
    lines = ["| attack | what it tries | bwrap | landlock | none |", "|---|---|---|---|---|"]
    lines += [f"| {a.name} | {a.tries} | {a.bwrap} | {a.cell('landlock')} | {a.none} |" for a in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    print("\n\n".join(f"### {title}\n\n{table(rows)}" for title, rows in GROUPS.items()))
