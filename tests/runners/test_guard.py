"""What a command under the guard can and cannot do, as root and as an ordinary user: real starts, real refusals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.runners import guard, landlock
from tests.runners.boxes import CLEAN, PYTHON, SYSTEM, TRIED, USERS, Box, box

pytestmark = pytest.mark.skipif(guard.abi() < 1, reason=landlock.why_not() or "no Landlock")
SINCE_6 = pytest.mark.skipif(guard.abi() < 6, reason="signals and abstract sockets are contained from ABI 6 on")


@pytest.fixture(params=USERS)
def here(request: pytest.FixtureRequest) -> Iterator[Box]:
    with box(request.param) as made:
        yield made


# --- files


def test_only_what_is_readable_can_be_read_and_only_what_is_writable_be_written(here: Box) -> None:
    found = here.python("""
print(json.dumps({
    "read in": tried(read, "in/data"), "list in": tried(os.listdir, "in"), "write in": tried(write, "in/data"),
    "append in": tried(os.open, "in/data", os.O_WRONLY | os.O_APPEND), "make in": tried(write, "in/new"),
    "remove in": tried(os.unlink, "in/data"), "make a folder in": tried(os.mkdir, "in/new"),
    "read beside": tried(read, "beside/secret"), "list beside": tried(os.listdir, "beside"),
    "write beside": tried(write, "beside/secret"), "run beside": tried(os.execv, "beside/secret", ["x"]),
    "make out": tried(write, "out/new"), "write out": tried(write, "out/new"), "read out": tried(read, "out/new"),
    "folder out": tried(os.mkdir, "out/folder"), "remove out": tried(os.rmdir, "out/folder"),
    "pipe out": tried(os.mkfifo, "out/pipe"), "link out": tried(os.symlink, "x", "out/link"),
    "passwords": tried(read, "/etc/shadow"), "root": tried(os.listdir, "/"),
}))""")  # fmt: skip
    denied = {name for name, answer in found.items() if answer == "EACCES"}
    assert denied == {name for name in found if " in" in name or "beside" in name} - {"read in", "list in"} | {
        "passwords",
        "root",
    }
    assert {answer for name, answer in found.items() if name not in denied} == {"done"}


def test_nothing_comes_out_or_gets_in_by_moving_and_linking(here: Box) -> None:
    here.file("out/mine")
    os.symlink(here.folder / "beside" / "secret", here.folder / "out" / "planted")
    found = here.python("""
os.symlink("../beside/secret", "out/laid"); os.symlink("../beside", "out/folder")
print(json.dumps([
    tried(os.rename, "beside/secret", "out/secret"), tried(os.rename, "out/mine", "beside/mine"),
    tried(os.rename, "in/data", "out/data"), tried(os.replace, "out/mine", "in/data"),
    tried(os.link, "beside/secret", "out/secret"), tried(os.link, "in/data", "out/data"),
    tried(os.link, "out/mine", "beside/mine"),
    tried(read, "out/planted"), tried(write, "out/planted"), tried(read, "out/laid"), tried(read, "out/folder/secret"),
    tried(read, "out/../beside/secret"), tried(read, "/proc/self/cwd/beside/secret"),
    tried(read, "/proc/self/root" + os.path.abspath("beside/secret")),
]))""")
    assert set(found) <= {"EACCES", "EXDEV"}
    assert here.python('print(json.dumps(tried(os.rename, "out/mine", "out/deeper/mine")))') == "done"
    assert sorted(os.listdir(here.folder / "beside")) == ["other", "secret"]


def test_what_can_only_be_read_cannot_be_emptied(here: Box) -> None:
    attempts = """
print(json.dumps([
    tried(os.truncate, "in/data", 0), tried(os.truncate, "beside/secret", 0),
    tried(os.open, "in/data", os.O_RDONLY | os.O_TRUNC), tried(os.open, "in/data", 3 | os.O_TRUNC),
    tried(os.open, "in/data", os.O_WRONLY | os.O_TRUNC), tried(os.open, "beside/secret", 3 | os.O_TRUNC),
    tried(os.open, "in/data", os.O_RDONLY | os.O_CREAT | os.O_TRUNC),
]))"""
    for abi in (1, 2, 3, 99):
        assert set(here.python(attempts, abi=abi)) <= {"EACCES", "EPERM"}, abi
    assert (here.folder / "in" / "data").read_text() == (here.folder / "beside" / "secret").read_text() == "text"


def test_what_is_writable_can_be_emptied_whatever_the_abi(here: Box) -> None:
    attempts = """
write("out/file", "long"); file = open("out/file", "r+"); file.truncate(1); os.open("out/file", os.O_RDWR | os.O_TRUNC)
print(json.dumps(os.path.getsize("out/file")))"""
    for abi in (1, 3, 99):
        assert here.python(attempts, abi=abi) == 0


def test_hidden_entries_of_a_readable_folder_cannot_be_opened_but_their_neighbours_can(here: Box) -> None:
    here.make("in/a", "in/a/b", "in/a/c", "in/a/b/deep", "in/a/b/deep/known")
    for name in ("in/a/1", "in/a/b/2", "in/a/b/key", "in/a/b/deep/3", "in/a/b/deep/known/4", "in/a/c/5"):
        here.file(name)
    os.symlink("b/key", here.folder / "in" / "a" / "link")
    os.symlink(here.folder / "in" / "a" / "b" / "deep", here.folder / "alias")
    known = here.folder / "in" / "a" / "b" / "deep" / "known"
    found = here.python(
        """
print(json.dumps({name: tried(read, f"in/{name}") for name in (
    "data", "a/1", "a/b/2", "a/c/5", "a/b/deep/known/4", "a/b/key", "a/b/deep/3", "a/link", "a/b/../b/key")}
    | {"listed": sorted(os.listdir("in/a"))}))""",
        readable=[*SYSTEM, str(here.folder / "in"), str(known)],
        hidden=[str(here.folder / "in/a/b/key"), str(here.folder / "alias"), str(here.folder / "in/a/b/later")],
    )
    assert found.pop("listed") == ["1", "b", "c", "link"]
    assert {name for name, answer in found.items() if answer == "done"} == {
        "data", "a/1", "a/b/2", "a/c/5", "a/b/deep/known/4"}  # fmt: skip
    assert {answer for answer in found.values() if answer != "done"} == {"EACCES"}


def test_something_hidden_that_appears_only_later_cannot_be_read(here: Box) -> None:
    waiting = "open('out/ready', 'w').close(); sys.stdin.readline(); print(json.dumps(tried(read, 'in/later')))"
    argv = here.guarded(PYTHON, "-I", "-S", "-c", TRIED + waiting, hidden=[str(here.folder / "in" / "later")])
    with subprocess.Popen(argv, cwd=here.folder, env=CLEAN, text=True, stdin=-1, stdout=-1) as process:
        while not (here.folder / "out" / "ready").exists():
            assert process.poll() is None
        here.file("in/later")
        assert json.loads(process.communicate("\n")[0]) == "EACCES"


def test_devices_are_usable_but_none_can_be_made_and_no_other_be_opened(here: Box) -> None:
    found = here.python("""
import stat
print(json.dumps([tried(write, "/dev/null"), tried(lambda: open("/dev/urandom", "rb").read(4)), tried(read, "/dev/vda"),
    tried(read, "/dev/kmsg"), tried(os.open, "/dev/tty", os.O_RDWR), tried(os.open, "/dev/ptmx", os.O_RDWR),
    tried(os.mknod, "out/disk", 0o600 | stat.S_IFBLK, os.makedev(8, 0)),
    tried(os.mknod, "out/memory", 0o600 | stat.S_IFCHR, os.makedev(1, 1)),
    tried(os.mknod, "out/whiteout", 0o600 | stat.S_IFCHR, 0)]))""")  # that one needs no capability
    assert found[:2] == ["done", "done"]
    assert "done" not in found[2:]


def test_devices_take_commands_only_where_they_are_given(here: Box) -> None:
    """Opened in access mode 3, for ioctl alone, a device asks Landlock for no right at all."""
    code = """
import fcntl
print(json.dumps([tried(os.open, "/dev/ptmx", os.O_RDWR),
    tried(fcntl.ioctl, os.open("/dev/ptmx", 3 | os.O_NOCTTY), 0x80045430, bytes(4))]))"""
    assert here.python(code, devices=["/dev/ptmx", "/dev/no-such"]) == ["done", "done"]
    assert here.python(code, abi=4) == ["EACCES", "done"]
    assert here.python(code) == ["EACCES", "EACCES" if guard.abi() >= 5 else "done"]


def test_standard_streams_can_be_opened_again_by_name(here: Box) -> None:
    """As pipes of the user's own, which is what a launcher makes."""
    inside = here.inside("sh", "-c", "echo out > /dev/stdout; echo err > /dev/stderr; cat /dev/stdin")
    argv = here.as_user("sh", "-c", 'echo in | "$@" 2>&1 | cat', "sh", *inside)
    assert subprocess.check_output(argv, cwd=here.folder, env=CLEAN, text=True).split() == ["out", "err", "in"]


@pytest.mark.parametrize(
    "name", ["with blanks ", "with\nlines\n", "ünïcode 文", "-dash", "'\"$(x)*", os.fsdecode(b"bytes\xff")]
)
def test_unusual_names_are_just_names(here: Box, name: str) -> None:
    here.make(f"in/{name}", f"out/{name}", f"in/{name}/kept")
    for file in (f"in/{name}/seen", f"in/{name}/unseen"):
        here.file(file)
    code = """
name = os.fsdecode(bytes.fromhex(sys.argv[1]))
print(json.dumps([tried(read, f"in/{name}/{file}") for file in ("seen", "unseen")] + [tried(write, f"out/{name}/x")]))"""
    hidden = [str(here.folder / "in" / name / "unseen")]
    writable = [str(here.folder / "out" / name)]
    assert here.python(code, os.fsencode(name).hex(), hidden=hidden, writable=writable) == ["done", "EACCES", "done"]


def test_a_link_that_an_earlier_command_laid_does_not_become_writable(here: Box) -> None:
    inner = str(here.folder / "out" / "deeper")
    assert here.run("sh", "-c", "rm -r out/deeper && ln -s ../beside out/deeper").returncode == 0
    done = here.run("true", writable=[inner])
    assert (done.returncode, "link" in done.stderr) == (125, True)
    done = here.run("true", writable=[f"{inner}/secret"])
    assert (done.returncode, "link" in done.stderr) == (125, True)


# --- other processes

LOOK_AROUND = """
def peek(path):
    if path.endswith("/fd"):
        return os.readlink(path + "/0")
    if path.endswith("/root") or path.endswith("/cwd"):
        return os.listdir(path) and os.readlink(path)
    if path.endswith("/mem"):
        return os.open(path, os.O_RDONLY)
    content = os.read(os.open(path, os.O_RDONLY), 100000)
    return content and (b"PLANTED" in content or not path.endswith("environ"))
found = set()
for pid in filter(str.isdigit, os.listdir("/proc")):
    secrets = ("environ", "task/" + pid + "/environ")
    for name in secrets + ("mem", "maps", "syscall", "auxv", "fd", "root", "cwd") * (pid in sys.argv[1:]):
        try:
            if peek(f"/proc/{pid}/{name}"):
                found.add(name.rpartition("/")[2])
        except OSError:
            pass
print(json.dumps(sorted(found)))"""


def test_keys_cannot_be_read_from_the_memory_or_environment_of_others(here: Box) -> None:
    """Neither from a bystander nor from the parent; root could, by its capabilities. Without the guard all is open."""
    with here.bystander("print(os.getpid()); sys.stdin.read()", KEY="PLANTED") as (_, pid):
        assert {"environ", "mem", "maps", "fd", "auxv", "root"} <= set(here.free(LOOK_AROUND, pid))
        assert here.python(LOOK_AROUND, pid) == []
    guarded = here.guarded(PYTHON, "-I", "-S", "-c", TRIED + LOOK_AROUND)
    parent = "done = subprocess.run(json.loads(sys.argv[1]), env={}, capture_output=True, text=True); print(done.stdout, done.stderr)"
    argv = [PYTHON, "-I", "-S", "-c", "import json, subprocess, sys\n" + parent, json.dumps(guarded)]
    found = subprocess.check_output(argv, cwd=here.folder, env=CLEAN | {"KEY": "PLANTED"}, text=True)
    assert json.loads(found) == []


def test_a_process_can_look_at_itself_and_at_its_own_children(here: Box) -> None:
    found = here.python("""
child = subprocess.Popen(["sleep", "20"], env={"A": "b"})
import time; time.sleep(0.1)
print(json.dumps([tried(read, "/proc/self/environ"), tried(read, "/proc/self/maps"), tried(os.listdir, "/proc/self/fd"),
    tried(read, f"/proc/{child.pid}/environ"), tried(child.kill), child.wait()]))""")
    assert found == ["done"] * 5 + [-9]


SIGNALS = """
import signal
print(json.dumps([tried(os.kill, int(sys.argv[1]), number) for number in (0, signal.SIGUSR1, signal.SIGSTOP)]
    + [tried(os.kill, os.getppid(), 0)] + [tried(signal.pidfd_send_signal, os.pidfd_open(int(sys.argv[1])), 0)]))"""


@SINCE_6
def test_no_signal_reaches_a_process_outside(here: Box) -> None:
    with here.bystander("print(os.getpid()); sys.stdin.read()") as (_, pid):
        assert here.python(SIGNALS, pid) == ["EPERM"] * 5


def test_old_kernels_let_signals_out_and_the_gaps_say_so(here: Box) -> None:
    with here.bystander("import signal; signal.signal(10, 1); print(os.getpid()); sys.stdin.read()") as (_, pid):
        assert here.python(SIGNALS.replace(", signal.SIGSTOP", ""), pid, abi=5)[:2] == ["done", "done"]
    assert any("signals" in gap for gap in landlock.not_covered(5))
    assert not any("signals" in gap for gap in landlock.not_covered(6))


def test_the_limits_of_a_process_outside_cannot_be_changed(here: Box) -> None:
    code = """
import resource
print(json.dumps(tried(resource.prlimit, int(sys.argv[1]), resource.RLIMIT_NOFILE, (9, 9))))"""
    with here.bystander("print(os.getpid()); sys.stdin.read()") as (_, pid):
        assert here.python(code, pid) == "EPERM"
        assert here.free(code, pid) == "done"


# --- sockets

LISTEN = """
kind, name = sys.argv[1:]
server = socket.socket(socket.AF_INET if kind == "tcp" else socket.AF_UNIX)
server.bind(("127.0.0.1", 0) if kind == "tcp" else "\\0" + name if kind == "abstract" else name)
server.listen()
print(server.getsockname()[1] if kind == "tcp" else os.getpid()); sys.stdin.read()"""
CONNECT = """
kind, name = sys.argv[1:]
def connect():
    client = socket.socket(socket.AF_INET if kind == "tcp" else socket.AF_UNIX)
    client.connect(("127.0.0.1", int(name)) if kind == "tcp" else "\\0" + name if kind == "abstract" else name)
print(json.dumps(tried(connect)))"""


@pytest.mark.parametrize(("sockets", "answer"), [("none", "EPERM"), ("unix", "EPERM"), ("all", "done")])
def test_the_network_is_reached_only_when_it_is_given(here: Box, sockets: str, answer: str) -> None:
    with here.bystander(LISTEN, "tcp", "") as (_, port):
        assert here.free(CONNECT, "tcp", port) == "done"
        assert here.python(CONNECT, "tcp", port, sockets=sockets) == answer


@SINCE_6
def test_abstract_sockets_outside_cannot_be_reached(here: Box) -> None:
    with here.bystander(LISTEN, "abstract", name := f"name-{os.getpid()}-{here.user}"):
        assert here.free(CONNECT, "abstract", name) == "done"
        assert here.python(CONNECT, "abstract", name, sockets="unix") == "EPERM"
        assert here.python(CONNECT, "abstract", name, sockets="all") == "EPERM"
        assert here.python(CONNECT, "abstract", name, sockets="unix", abi=5) == "done"


def test_unix_sockets_by_path_can_be_reached_where_unix_sockets_are_allowed_and_the_gaps_say_so(here: Box) -> None:
    name = str(here.folder / "beside" / "socket")
    with here.bystander(LISTEN, "path", name):
        assert here.python(CONNECT, "path", name, sockets="none") == "EPERM"
        assert here.python(CONNECT, "path", name, sockets="unix", abi=8) == "done"
        contained = guard.abi() >= 9
        assert here.python(CONNECT, "path", name, sockets="unix") == ("EACCES" if contained else "done")
    assert any("Unix sockets of other programs" in gap for gap in landlock.not_covered(8))


def test_sockets_of_its_own_work(here: Box) -> None:
    pair = "a, b = socket.socketpair(); a.send(b'x'); print(json.dumps(b.recv(1).decode()))"
    assert here.python(pair, sockets="none") == "x"
    own = """
server = socket.socket(socket.AF_UNIX); server.bind("out/s"); server.listen()
client = socket.socket(socket.AF_UNIX); client.connect("out/s"); client.send(b"x")
print(json.dumps(server.accept()[0].recv(1).decode()))"""
    assert here.python(own, sockets="unix") == "x"


# --- privileges


def test_no_capability_is_left_and_none_comes_back(here: Box) -> None:
    """Also not through another program, nor for root by becoming root again."""
    code = """
libc = ctypes.CDLL(None, use_errno=True)
attempts = [libc.prctl(28, 0, 0, 0, 0), libc.prctl(47, 2, 1, 0, 0), libc.prctl(38, 0, 0, 0, 0)]
os.setresuid(os.getuid(), os.getuid(), os.getuid())
lines = [line.split() for line in subprocess.check_output(["cat", "/proc/self/status"], text=True).splitlines()]
print(json.dumps([attempts, {line[0]: line[1] for line in lines if line[0][:3] in ("Cap", "NoN", "Sec", "Uid")}]))"""
    attempts, status = here.python(code)
    assert attempts == [-1, -1, -1]
    assert {status[name] for name in ("CapInh:", "CapPrm:", "CapEff:", "CapAmb:")} == {"0" * 16}
    assert (status["NoNewPrivs:"], status["Seccomp:"], status["Uid:"]) == ("1", "2", str(here.user))
    if os.geteuid() == 0 == here.user:
        assert status["CapBnd:"] == "0" * 16


@pytest.mark.skipif("root" not in USERS, reason="only root has capabilities to lose")
def test_root_with_only_some_capabilities_loses_these_too() -> None:
    """As in containers. Without CAP_SETPCAP the bounding set stays, but an exec gives nothing of it back."""
    with box("root") as here:
        argv = here.guarded("sh", "-c", "grep Cap /proc/self/status; cat beside/secret")
        lacking = ["setpriv", "--bounding-set=-setpcap", "--inh-caps=-setpcap", *argv]
        done = subprocess.run(lacking, capture_output=True, text=True, cwd=here.folder, env=CLEAN)
    sets = dict(line.split() for line in done.stdout.splitlines())
    assert sets.pop("CapBnd:") != "0" * 16
    assert (set(sets.values()), len(sets)) == ({"0" * 16}, 4)


def test_limits_are_set_and_cannot_be_raised(here: Box) -> None:
    code = """
import resource as r
names = ("NPROC", "NOFILE", "FSIZE", "AS", "CORE")
now = [r.getrlimit(getattr(r, "RLIMIT_" + name)) for name in names]
def more(name, now):
    try:
        r.setrlimit(getattr(r, "RLIMIT_" + name), (now[1] + 1, now[1] + 1))
    except ValueError:
        return "refused"
print(json.dumps([now, [more(name, limit) for name, limit in zip(names, now)], tried(write, "out/large", "x" * 5000)]))"""
    limits = {"processes": 3000, "open_files": 100, "file_bytes": 4096, "address_space": 1 << 32}
    now, more, large = here.python(code, limits=limits)
    assert now == [[value, value] for value in (3000, 100, 4096, 1 << 32, 0)]
    assert more == ["refused"] * 5
    assert large == "EFBIG"


def test_a_limit_is_never_raised_above_what_held_before(here: Box) -> None:
    argv = here.guarded("sh", "-c", "ulimit -Hn; ulimit -Sn", limits={"open_files": 4096, "processes": None})
    lower = ["sh", "-c", 'ulimit -n 77; exec "$@"', "sh", *argv]
    assert subprocess.check_output(lower, cwd=here.folder, env=CLEAN, text=True).split() == ["77", "77"]


# --- the command is what it would be without


def test_arguments_streams_folder_and_environment_are_untouched(here: Box) -> None:
    code = "import json, os, sys; print(json.dumps([sys.argv[1:], sys.stdin.read(), os.getcwd(), dict(os.environ)]))"
    arguments = ["", "a b", "--", "-x", "*\n", "ü", os.fsdecode(b"\xff")]
    done = here.run(PYTHON, "-I", "-S", "-c", code, *arguments, text="stdin ü\n")
    assert json.loads(done.stdout) == [arguments, "stdin ü\n", str(here.folder), CLEAN]
    assert done.stderr == ""


def test_exit_codes_and_signals_pass_through(here: Box) -> None:
    assert [here.run("sh", "-c", f"exit {code}").returncode for code in (0, 1, 125, 255)] == [0, 1, 125, 255]
    assert here.run("sh", "-c", "kill -SEGV $$").returncode == -signal.SIGSEGV
    assert here.run("sh", "-c", "kill -PIPE $$").returncode == -signal.SIGPIPE  # Python had ignored it
    with subprocess.Popen(here.guarded("sleep", "60"), cwd=here.folder, env=CLEAN) as process:
        while b"sleep" not in Path(f"/proc/{process.pid}/comm").read_bytes():
            assert process.poll() is None
        process.terminate()  # the guard has become the command: same number
        assert process.wait() == -signal.SIGTERM


def test_an_open_descriptor_is_not_handed_on(here: Box) -> None:
    with (here.folder / "beside" / "secret").open() as secret:
        code = f"import os; os.read({secret.fileno()}, 9)"
        argv = here.guarded(PYTHON, "-I", "-S", "-c", code)
        done = subprocess.run(argv, capture_output=True, cwd=here.folder, env=CLEAN, pass_fds=[secret.fileno()])
    assert b"Bad file descriptor" in done.stderr


# --- refusals and older kernels


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"readable": ["/no/such"]}, "'/no/such'"),
        ({"writable": ["/no/such"]}, "'/no/such'"),
        ({"readable": ["usr"]}, "'usr' is not an absolute path"),
        ({"hidden": ["usr"]}, "'usr' is not an absolute path"),
        ({"hidden": ["BOX/out/x"]}, "out/x cannot be hidden: "),
        ({"hidden": ["BOX/out"]}, "out cannot be hidden: "),
        ({"hidden": ["BOX/in"]}, "in is to be readable and hidden"),
        ({"sockets": "some"}, "sockets may be none, unix or all"),
        ({"limits": {"memory": 1}}, "unknown limits: memory"),
        ({"limits": {"open_files": "x"}}, "TypeError"),
        ({"wriatble": []}, "unknown keys in the specification: wriatble"),
        ({"abi": 0}, "no Landlock"),
    ],
)
def test_what_cannot_be_done_as_asked_is_not_started(here: Box, keys: dict[str, object], said: str) -> None:
    text = json.dumps(keys).replace("BOX", str(here.folder))
    done = here.run("touch", "out/started", **json.loads(text))
    assert done.returncode == guard.EXIT_CODE == 125
    assert done.stderr.startswith("guard: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (here.folder / "out" / "started").exists()


def test_a_program_that_cannot_be_started_is_a_refusal_too(here: Box) -> None:
    assert "no program 'no-such-program'" in (done := here.run("no-such-program")).stderr
    assert done.returncode == 125
    done = here.run("/no/such")
    assert (done.returncode, done.stderr[:7]) == (125, "guard: ")
    here.file("beside/program", "#!/bin/sh\n").chmod(0o755)
    done = here.run(str(here.folder / "beside" / "program"))
    assert (done.returncode, done.stderr[:7]) == (125, "guard: ")


def test_a_specification_that_is_none_is_a_refusal(here: Box) -> None:
    for arguments in ([], ["{}"], ["{}", "--"], ["{", "--", "true"], ["[]", "--", "true"], ["{}", "--", "true"]):
        argv = here.as_user(PYTHON, "-I", "-S", str(here.program / "guard.py"), *arguments)
        done = subprocess.run(argv, capture_output=True, text=True, cwd=here.folder, env=CLEAN)
        assert (done.returncode, done.stderr[:7], done.stderr.count("\n")) == (125, "guard: ", 1), arguments


@pytest.mark.parametrize("abi", [1, 2, 3, 4, 5, 6])
def test_under_an_older_landlock_files_are_contained_all_the_same(here: Box, abi: int) -> None:
    here.file("out/mine")
    found = here.python("""
print(json.dumps([tried(read, "beside/secret"), tried(write, "in/data"), tried(os.rename, "beside/secret", "out/s"),
    tried(socket.socket), tried(write, "out/x"), tried(read, "in/data"), tried(os.rename, "out/mine", "out/deeper/m")]))""",
        abi=abi)  # fmt: skip
    assert found[0] == found[1] == "EACCES"
    assert found[2] in ("EACCES", "EXDEV")
    assert found[3] == "EPERM"
    assert found[4:] == ["done", "done", "EXDEV" if abi == 1 else "done"]


def test_gaps_that_no_landlock_closes_are_real_and_said(here: Box) -> None:
    """An honest list: if one of these is refused one day, the list is to be shortened."""
    found = here.python("""
print(json.dumps([os.stat("beside/secret").st_size, tried(os.setxattr, "beside/other", "user.x", b"y"),
    tried(os.chmod, "beside/secret", 0o666), tried(os.utime, "beside/secret", (1, 1)),
    tried(os.chown, "beside/secret", -1, os.getgid()), tried(os.chdir, "beside")]))""")
    assert found == [4, found[1], "done", "done", "done", "done"]
    assert found[1] in ("done", "ENOTSUP")  # by file system
    assert (here.folder / "beside" / "secret").stat().st_mode & 0o777 == 0o666
    assert any("chmod" in gap for gap in landlock.not_covered(99))


def test_the_probe_starts_it_really() -> None:
    works, said = guard.probe()
    assert (works, said) == (True, f"Landlock ABI {guard.abi()} and seccomp")
