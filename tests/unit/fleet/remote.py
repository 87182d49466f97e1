"""Remote hosts, over a real sshd on the loopback interface."""

from __future__ import annotations

# isort: off
import sriovctl.fleet.connection as connection

# isort: on
import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gevent
import paramiko
import pytest

from sriovctl import reconcile
from sriovctl.errors import SriovctlError, UnreachableError, UsageError
from sriovctl.firmware import FirmwareState
from sriovctl.fleet import Address, Patience, run_each
from sriovctl.host import HostState
from sriovctl.lab.access import free_ports
from sriovctl.plan import Impact, Plan, Stage
from sriovctl.reach import Output, OverdueError, Reach
from sriovctl.shell import command
from sriovctl.stagerun import Timeouts
from sriovctl.transaction import ConfirmAnswer, Ended, Event, StepDone
from sriovctl.wanted import HostWant
from tests.unit.shells import Gate
from tests.unit.test_reconcile import Recorder, World

QUICK = Patience(connect_s=10.0, silence_s=5.0)
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")


@dataclass(frozen=True)
class Server:
    """An sshd and the way to it."""

    folder: Path
    port: int
    process: subprocess.Popen[str]

    @property
    def config(self) -> str:
        return str(self.folder / "ssh_config")

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def address(self, name: str = "server-2") -> Address:
        return Address(name, "rack-host")

    def sessions(self) -> list[int]:
        """The processes of all connections to it, as long as it lives: they are its children."""
        found: list[int] = []
        parents = [self.process.pid]
        while parents:
            children = [child for child in _children(parents.pop()) if _is_sshd(child)]
            found += children
            parents += children
        return found

    def cut(self) -> None:
        """Kill every connection."""
        # again, as the list of children may lack one while another ends (man 5 proc)
        while pids := self.sessions():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):  # the child of one killed before
                    os.kill(pid, signal.SIGKILL)

    def end(self) -> None:
        """It and its connections die; what runs on the host goes on."""
        # no new connection any more, and its children are still its own
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        self.cut()
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()


def use_pam() -> str:
    """For sshd_config. Where an account is locked, as root's is on a machine with sudo only, sshd
    by itself lets nobody in, with a key neither (OpenSSH auth.c, allowed_user).
    """
    try:
        shadow = Path("/etc/shadow").read_text(encoding="utf-8").splitlines()
    except OSError:  # only root may read it
        return "UsePAM no"
    passwords = dict(line.split(":")[:2] for line in shadow)
    return f"UsePAM {'yes' if passwords.get(getpass.getuser(), '').startswith('!') else 'no'}"


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []  # it has gone meanwhile


def _is_sshd(pid: int) -> bool:
    process = Path(f"/proc/{pid}")
    try:
        lives = bool((process / "cmdline").read_bytes())  # a zombie has none
        return lives and (process / "comm").read_text().startswith("sshd")
    except OSError:
        return False


def keygen(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests logs in as root, as far as the need of sudo goes."""
    monkeypatch.setattr(paramiko.Transport, "get_username", lambda self: "root")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serve(tmp_path, {"SRIOVCTL_STATE": str(tmp_path / "state")}) as server:
        yield server


@contextlib.contextmanager
def serve(folder: Path, environment: dict[str, str], setting: str = "") -> Iterator[Server]:
    host_key, key = keygen(folder / "host_key"), keygen(folder / "key")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd asks for it when it is root
    (port,) = free_ports(1)
    settings = " ".join(f'"{name}={value}"' for name, value in environment.items())
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nPidFile none\n"
        f"AuthorizedKeysFile {key}.pub\nStrictModes no\n{use_pam()}\nPermitRootLogin yes\n"
        f"PasswordAuthentication no\nMaxStartups 200\nSetEnv {settings}\n{setting}\n"
    )
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {Path(f'{host_key}.pub').read_text()}")
    (folder / "ssh_config").write_text(
        f"Host rack-host\n HostName 127.0.0.1\n Port {port}\n User {getpass.getuser()}\n"
        f" IdentityFile {key}\n UserKnownHostsFile {folder / 'known_hosts'}\n"
        # what a careless configuration says; it must not count
        " StrictHostKeyChecking no\n"
    )
    process = subprocess.Popen(
        [SSHD or "sshd", "-D", "-e", "-f", folder / "sshd_config"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "Server listening" in line:
            break
    else:
        pytest.fail("sshd did not start")
    # nobody reads what sshd says of connections from here on, and it is little
    server = Server(folder, port, process)
    try:
        yield server
    finally:
        server.end()


def only(results: dict[str, Output | SriovctlError]) -> Output | SriovctlError:
    [result] = results.values()
    return result


def run(server: Server, script: str, *words: str, timeout_s: float = 10) -> Output | SriovctlError:
    return only(
        run_each(
            [server.address()],
            lambda reach: reach.run(script, words, timeout_s=timeout_s),
            ssh_config=server.config,
            patience=QUICK,
        )
    )


def output(result: Output | SriovctlError) -> Output:
    assert isinstance(result, Output), result
    return result


def error(result: object) -> SriovctlError:
    assert isinstance(result, SriovctlError), result
    return result


# --- scripts


def test_output_and_status(server: Server) -> None:
    got = output(run(server, "echo out; echo err >&2; exit 3"))
    assert (got.status, got.stdout, got.stderr) == (3, "out\n", "err\n")


@pytest.mark.parametrize("word", ["", "a b", "$(exit 9)", "-x", "'", "\n", "é"])
def test_arguments_come_as_they_are(server: Server, word: str) -> None:
    assert output(run(server, 'printf %s "$2"', "first", word)).stdout == word


def test_much_in_both_ways(server: Server) -> None:
    noise = "i=0; while [ $i -lt 5000 ]; do echo 1234567890; echo 1234567890 >&2; i=$((i+1)); done"
    got = output(run(server, noise + "\n#" * 300_000, timeout_s=60))
    assert len(got.stdout) == len(got.stderr) == 55_000


def test_a_script_that_ends_before_it_was_read(server: Server) -> None:
    assert output(run(server, "exit 4\n" + "# more\n" * 1_000_000)).status == 4


def test_lines_come_as_they_are_printed(server: Server, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    lines: list[str] = []

    def on_line(line: str) -> None:
        lines.append(line)
        if line == "one":
            gate.open()

    def work(reach: Reach) -> Output:
        return reach.run(f"echo one; {gate.text}; echo two", timeout_s=10, on_line=on_line)

    output(only(run_each([server.address()], work, ssh_config=server.config)))
    assert lines == ["one", "two"]


def test_many_hosts_at_once(server: Server, tmp_path: Path) -> None:
    """Each waits until all are there: one after the other they would never end."""
    names = [f"server-{number}" for number in range(20)]
    gate = Gate(tmp_path)
    come: list[str] = []

    def on_line(line: str) -> None:
        come.append(line)
        if len(come) == len(names):
            for _ in names:
                gate.open()

    def work(reach: Reach) -> str:
        script = f"echo here; {gate.text.partition('; ')[2]}"
        reach.run(script, timeout_s=30, on_line=on_line)
        return reach.name

    addresses = [server.address(name) for name in names]
    results = run_each(addresses, work, ssh_config=server.config)
    assert results == {name: name for name in names}


def test_one_connection_for_all_of_a_hosts_scripts(server: Server) -> None:
    def work(reach: Reach) -> set[str]:
        script = "echo $SSH_CONNECTION"
        return {reach.run(script, timeout_s=10).stdout for _ in range(3)}

    [result] = run_each([server.address()], work, ssh_config=server.config).values()
    assert isinstance(result, set)
    assert len(result) == 1


def test_a_connection_that_died_unnoticed_is_made_anew(server: Server) -> None:
    def work(reach: Reach) -> list[str]:
        said = []
        for _ in range(3):
            said.append(reach.run("echo $SSH_CONNECTION", timeout_s=60).stdout)
            server.cut()
        return said

    [result] = run_each([server.address()], work, ssh_config=server.config).values()
    assert isinstance(result, list), result
    assert len({*result}) == 3


@pytest.mark.parametrize(
    ("has", "taken"),
    [("aes256-ctr,aes128-gcm@openssh.com", "aes128-gcm@openssh.com"), ("aes256-ctr", "aes256-ctr")],
)
def test_a_cipher_with_its_own_sum_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has: str, taken: str
) -> None:
    made: list[paramiko.Transport] = []
    make = connection.transport

    def keep(*words: object, **settings: object) -> paramiko.Transport:
        made.append(make(*words, **settings))
        return made[-1]

    monkeypatch.setattr("sriovctl.fleet.each.transport", keep)
    with serve(tmp_path, {"A": "b"}, f"Ciphers {has}") as server:
        output(run(server, "true"))
    (one,) = made
    # the types do not know these two
    assert {vars(one)[f"{way}_cipher"] for way in ("local", "remote")} == {taken}


def test_nothing_is_said_but_by_errors(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.known_hosts.write_text("")
    run(server, "true")
    run_each([Address("dead", "127.0.0.1", 1)], lambda reach: reach.run("true", timeout_s=5))
    assert capfd.readouterr() == ("", "")


def test_no_end_in_time(server: Server) -> None:
    found = error(run(server, "sleep 60", timeout_s=0.5))
    assert isinstance(found, OverdueError)


def test_a_mistake_in_the_work_comes_up_after_all_hosts_are_done(server: Server) -> None:
    done: list[str] = []

    def work(reach: Reach) -> None:
        if reach.name == "a":
            raise KeyError("a mistake")
        reach.run("true", timeout_s=10)
        done.append(reach.name)

    with pytest.raises(KeyError):
        run_each([server.address("a"), server.address("b")], work, ssh_config=server.config)
    assert done == ["b"]


@pytest.mark.parametrize("at_once", [1, 2])
def test_ctrl_c_ends_those_at_work_and_begins_no_other(server: Server, at_once: int) -> None:
    """Also where it comes while others wait for their turn."""
    begun: list[str] = []
    ended: list[str] = []

    def work(reach: Reach) -> None:
        begun.append(reach.name)
        if len(begun) == at_once:
            # as from the keyboard: whatever runs just then
            gevent.spawn(os.kill, os.getpid(), signal.SIGINT)
        try:
            reach.run("sleep 60", timeout_s=70)
        finally:
            ended.append(reach.name)

    names = [f"server-{number}" for number in range(4)]
    with pytest.raises(KeyboardInterrupt):
        run_each(
            [server.address(name) for name in names],
            work,
            ssh_config=server.config,
            patience=QUICK,
            at_once=at_once,
        )
    with gevent.Timeout(QUICK.connect_s):
        while sorted(ended) != names[:at_once]:
            gevent.sleep(0.01)
    assert begun == names[:at_once]


# --- no way to a host


def test_an_unknown_host_key(server: Server) -> None:
    server.known_hosts.write_text("")
    found = error(run(server, "touch " + command(str(server.folder / "no"))))
    assert isinstance(found, UnreachableError)
    shown = paramiko.Ed25519Key(filename=str(server.folder / "host_key")).fingerprint
    assert "its host key is not known" in found.found
    assert shown in found.found
    assert "server-2" in found.found
    assert f"ssh -F {server.config} rack-host" in found.mend
    assert not (server.folder / "no").exists()
    assert server.known_hosts.read_text() == ""


def test_a_changed_host_key(server: Server) -> None:
    other = keygen(server.folder / "other_key")
    text = Path(f"{other}.pub").read_text()
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {text}")
    found = error(run(server, "touch " + command(str(server.folder / "no"))))
    assert "its host key has changed" in found.found
    for key in ("host_key", "other_key"):
        assert paramiko.Ed25519Key(filename=str(server.folder / key)).fingerprint in found.found
    assert f"ssh-keygen -f {server.known_hosts} -R '[127.0.0.1]:{server.port}'" in found.mend
    assert not (server.folder / "no").exists()


def test_no_login(server: Server) -> None:
    Path(f"{server.folder / 'key'}.pub").write_text("")
    found = error(run(server, "true"))
    assert "login refused" in found.found


def test_a_login_that_hangs_is_no_refusal(tmp_path: Path) -> None:
    lookup = f"AuthorizedKeysCommand /bin/sleep 60\nAuthorizedKeysCommandUser {getpass.getuser()}"
    with serve(tmp_path, {"A": "b"}, lookup) as server:
        Path(f"{server.folder / 'key'}.pub").write_text("")
        [result] = run_each(
            [server.address()],
            lambda reach: reach.run("true", timeout_s=10),
            ssh_config=server.config,
            patience=Patience(connect_s=1.0),
        ).values()
        found = error(result)
        assert "no answer to the login within 1 s" in found.found
        assert "refused" not in found.found


def test_a_login_that_is_cut_off_is_no_refusal(tmp_path: Path) -> None:
    with serve(tmp_path, {"A": "b"}, "MaxAuthTries 1") as server:
        Path(f"{server.folder / 'key'}.pub").write_text("")
        found = error(run(server, "true"))
        assert "closed the connection at the login" in found.found


def test_a_dead_port_and_a_name_that_is_none() -> None:
    hosts = [Address("dead", "127.0.0.1", 1), Address("nowhere", "no.such.host.invalid")]
    for result in run_each(hosts, lambda reach: reach.run("true", timeout_s=5)).values():
        assert "there is no connection" in error(result).means


def test_hosts_that_hang_delay_no_other(server: Server) -> None:
    """One says nothing at all, one no more than who it is."""
    order: list[str] = []
    with contextlib.ExitStack() as kept:
        hanging = []
        for name, greeting in (("dumb", b""), ("greeting", b"SSH-2.0-OpenSSH_9.2\r\n")):
            silent = kept.enter_context(socket.socket())
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            hanging.append(Address(name, "127.0.0.1", silent.getsockname()[1]))

            def answer(silent: socket.socket = silent, greeting: bytes = greeting) -> None:
                connection, _ = silent.accept()
                kept.enter_context(connection)
                connection.sendall(greeting)

            gevent.spawn(answer)

        def work(reach: Reach) -> int:
            try:
                return reach.run("true", timeout_s=60).status
            finally:
                order.append(reach.name)

        results = run_each(
            [*hanging, server.address()], work, ssh_config=server.config, patience=QUICK
        )
    assert results["server-2"] == 0
    for host in hanging:
        assert isinstance(results[host.name], UnreachableError)
    assert order[0] == "server-2"


def test_no_ssh_configuration_file() -> None:
    with pytest.raises(UsageError, match="no ssh configuration file"):
        run_each([Address("a", "a")], lambda reach: None, ssh_config="/no/such/file")


# --- sudo

SUDO = {
    "password": ("echo 'sudo: a password is required' >&2; exit 1", "a password is required"),
    "not allowed": (
        "echo 'sudo: bob is not in the sudoers file' >&2; exit 1",
        "not in the sudoers",
    ),
    "none": (None, "sudo"),
}


@pytest.fixture
def no_root(root: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user who logs in is not called root."""
    monkeypatch.setattr(paramiko.Transport, "get_username", lambda self: "operator")


def sudo_server(folder: Path, text: str | None) -> contextlib.AbstractContextManager[Server]:
    tools = folder / "tools"
    tools.mkdir()
    (tools / "sh").symlink_to("/bin/sh")
    if text is not None:
        (tools / "sudo").write_text(f"#!/bin/sh\n{text}\n")
        (tools / "sudo").chmod(0o755)
    return serve(folder, {"PATH": str(tools)})


@pytest.mark.usefixtures("no_root")
def test_sudo_is_used_where_the_user_is_not_root(tmp_path: Path) -> None:
    with sudo_server(tmp_path, 'echo "sudo $1 $2"; shift 2; exec "$@"') as server:
        got = output(run(server, 'echo "$1"; exit 5', "a b"))
        assert (got.status, got.stdout) == (5, "sudo -n --\na b\n")


@pytest.mark.usefixtures("no_root")
@pytest.mark.parametrize("how", SUDO)
def test_sudo_that_refuses(tmp_path: Path, how: str) -> None:
    text, said = SUDO[how]
    with sudo_server(tmp_path, text) as server:
        found = error(run(server, "echo never"))
        assert said in found.found
        assert "NOPASSWD" in found.mend


# --- transactions over it


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


def apply(server: Server, world: World, observer: Recorder) -> reconcile.Outcome:
    def plan(want: HostWant, have: HostState, bmc: FirmwareState | None) -> Plan:
        return world.plan(want, have, bmc)

    def work(reach: Reach) -> reconcile.Outcome:
        return reconcile.apply(
            reach,
            HostWant(rack="r", name="h", pfs=()),
            observer=observer,
            confirm_s=20,
            timeouts=Timeouts(probe_s=20, stage_s=30, reconnect_s=20, retry_s=0.1),
            planner=plan,
        )

    hosts = [server.address()]
    [result] = run_each(hosts, work, ssh_config=server.config, patience=QUICK).values()
    if isinstance(result, SriovctlError):
        raise result
    return result


def test_applied_and_confirmed(server: Server, world: World) -> None:
    world.change(1, impact=Impact.LINK_BLIP)
    observer = Recorder()
    assert apply(server, world, observer).changed
    assert world.texts == {"new"}
    assert ConfirmAnswer("accepted") in observer.events


@pytest.mark.parametrize("impact", [Impact.NONE, Impact.LINK_BLIP])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_connection_dropped_in_mid_run(
    server: Server, world: World, step: int, impact: Impact
) -> None:
    world.change(1, impact=impact)

    class Dropping(Recorder):
        def event(self, host: str, stage: Stage, event: Event) -> None:
            super().event(host, stage, event)
            if isinstance(event, StepDone) and event.step == step:
                server.cut()

    observer = Dropping()
    assert apply(server, world, observer).changed
    assert world.texts == {"new"}
    assert [e.step for e in observer.events if isinstance(e, StepDone)] == [1, 2, 3]
    assert observer.events[-1] == Ended("changed", "")
