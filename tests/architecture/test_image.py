"""The image: built from the Dockerfile, started as it would be in a cluster, asked, and stopped.

Needs root and buildah, and a base image: from the registry, or made with mmdebstrap where no registry answers.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO, Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
BASE: Final = "docker.io/library/python:3.11-slim-bookworm"
TAG: Final = "localhost/sluicegate:test"
TRUST_STORE: Final = Path("/etc/ssl/certs")
USER: Final = 10001

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("buildah") is None, reason="buildah is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount an image"),
]


def run(*command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run to the end; a failure shows what the command said."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    if check and done.returncode:
        pytest.fail(
            f"{command[0]} ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}",
            pytrace=False,
        )
    return done


@dataclass(frozen=True)
class Buildah:
    """buildah with a store of its own, so that nothing of the machine's is used or left behind."""

    store: Path
    cache: Path

    def __call__(self, *arguments: str | Path, check: bool = True) -> str:
        done = run(
            "buildah", "--root", self.store / "root", "--runroot", self.store / "run", "--storage-driver", "vfs",
            *arguments, check=check,
        )  # fmt: skip
        return done.stdout.strip() if done.returncode == 0 else ""

    def provide_base(self) -> None:
        """Have the base image in the store, or skip: it is the only thing that PyPI cannot give."""
        if self("pull", "--quiet", BASE, check=False):
            return
        archive = self.cache / "base.tar"
        if not archive.exists():
            make_base(archive)
        container = self("from", "scratch")
        self("add", "--quiet", container, archive, "/")
        self("commit", "--quiet", "--rm", container, BASE)

    def build(self) -> None:
        """Build as the Dockerfile says, trusting whom this machine trusts."""
        self(
            "bud", "--isolation", "chroot", "--format", "docker", "--pull-never", "--tag", TAG,
            "--volume", f"{TRUST_STORE}:{TRUST_STORE}:ro", "--file", ROOT / "docker/Dockerfile", ROOT,
        )  # fmt: skip


def make_base(archive: Path) -> None:
    """Make a Debian with the same Python as the base image has, or skip."""
    if shutil.which("mmdebstrap") is None:
        pytest.skip("no registry answers, and mmdebstrap is not installed")
    unfinished = archive.with_name("unfinished.tar")
    packages = "--include=python3,python3-venv,ca-certificates"
    if run("mmdebstrap", "--variant=minbase", packages, "bookworm", unfinished, check=False).returncode:
        pytest.skip("no registry answers, and no Debian mirror either")
    unfinished.replace(archive)


@dataclass(frozen=True)
class Image:
    """What was built: its configuration and its unpacked root."""

    config: dict[str, Any]
    root: Path

    @property
    def environment(self) -> dict[str, str]:
        """What the image sets for its processes."""
        return dict(entry.split("=", 1) for entry in self.config["Env"])


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Image]:
    """Build once for all tests of this file."""
    if run("unshare", "--mount", "true", check=False).returncode:
        pytest.skip("this root may not mount anything")
    buildah = Buildah(tmp_path_factory.mktemp("image"), pytestconfig.cache.mkdir("image"))
    buildah.provide_base()
    buildah.build()
    config = json.loads(buildah("inspect", "--type", "image", TAG))["Docker"]["config"]
    container = buildah("from", "--pull-never", TAG)
    try:
        yield Image(config, Path(buildah("mount", container)))
    finally:
        buildah("umount", container, check=False)
        shutil.rmtree(buildah.store, ignore_errors=True)


def free_port() -> int:
    """Find a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# What a container runtime does, with what every Debian has: read-only root, no capability, nothing of the machine's
# environment, and the worker as process 1, for which the kernel ignores every signal that it has no handler for.
CONTAIN: Final = """
set -eu
root=$1 data=$2 user=$3; shift 3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs -o nosuid,nodev tmpfs "$root/tmp"
mount --bind "$data" "$root/data"
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups --no-new-privs \\
    --bounding-set=-all --inh-caps=-all env --ignore-environment "$@"
"""


def start(
    image: Image, arguments: list[str], data: Path, environment: dict[str, str], log: IO[str]
) -> subprocess.Popen[str]:
    """Start the image's program."""
    settings = [f"{name}={value}" for name, value in (image.environment | environment).items()]
    command = image.config["Entrypoint"] + arguments
    where = [image.root, data, image.config["User"], f"--chdir={image.config['WorkingDir']}"]
    isolate = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
    return subprocess.Popen(
        [*isolate, "sh", "-c", CONTAIN, "contain", *where, *settings, *command],
        stdout=log, stderr=log, text=True,
    )  # fmt: skip


@dataclass(frozen=True)
class Container:
    """One run of the image."""

    process: subprocess.Popen[str]
    webhooks: int
    admin: int

    def stop(self) -> int:
        """Ask process 1 to end, as a cluster does, and give back how it ended."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        os.kill(int(children.read_text()), signal.SIGTERM)
        return self.process.wait(30)


def status(port: int, path: str) -> int:
    """Ask once; 0 stands for no answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def test_is_built_to_run_without_root_and_without_a_shell(image: Image) -> None:
    assert image.config["User"] == f"{USER}:{USER}"
    assert image.config["Entrypoint"] == ["sluicegate"]
    assert image.config["Cmd"] == ["serve"]
    assert image.config["Volumes"] == {"/data": {}}
    assert image.config["ExposedPorts"] == {"8080/tcp": {}}
    assert image.config["StopSignal"] == "SIGTERM"


def test_health_is_asked_without_a_shell_and_without_the_application(image: Image) -> None:
    kind, *command = image.config["Healthcheck"]["Test"]
    assert kind == "CMD"
    assert command[:3] == ["python3", "-I", "-S"]
    script = (image.root / command[3].lstrip("/")).read_text()
    assert not any(f"import {room}" in script for room in ("worker", "connectors", "policies"))


def test_holds_no_build_tools_tests_or_secrets(image: Image) -> None:
    home = image.root / "opt/sluicegate"
    libraries = {entry.name for entry in (home / "lib/python3.11/site-packages").iterdir()}
    assert {"worker", "connectors", "policies", "psycopg"} <= libraries
    assert not {"pip", "setuptools", "pytest", "tests"} & libraries
    assert not (image.root / "src").exists()
    assert not list((image.root / "etc/sluicegate").rglob("*.*"))


@pytest.fixture
def container(image: Image, tmp_path: Path) -> Iterator[Container]:
    """Start the image as it is shipped, on two free ports, with an empty store."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    key = data / "master_key"
    key.write_bytes(b64encode(os.urandom(32)))
    key.chmod(0o600)
    for path in (data, key):
        os.chown(path, USER, USER)
    webhooks, admin = free_port(), free_port()
    environment = {
        "SLUICEGATE_WEBHOOK_HOST": "127.0.0.1",
        "SLUICEGATE_WEBHOOK_LISTEN_PORT": str(webhooks),
        "SLUICEGATE_ADMIN_LISTEN_PORT": str(admin),
        "SLUICEGATE_MASTER_KEY_FILE": "/data/master_key",
    }
    with (tmp_path / "log").open("w+") as log:
        if start(image, ["migrate"], data, environment, log).wait(60):
            pytest.fail(f"migrate failed:\n{(tmp_path / 'log').read_text()[-4000:]}")
        process = start(image, image.config["Cmd"], data, environment, log)
        try:
            yield Container(process, webhooks, admin)
        finally:
            process.kill()
            process.wait(10)
            log.seek(0)
            print(log.read()[-4000:])  # noqa: T201 - pytest shows it when the test failed


def test_starts_on_a_read_only_root_answers_is_healthy_and_drains(image: Image, container: Container) -> None:
    deadline = time.monotonic() + 60
    while status(container.admin, "/readyz") != 200:
        assert container.process.poll() is None, "the worker ended by itself"
        assert time.monotonic() < deadline, "the worker is not ready after a minute"
        time.sleep(0.2)

    assert status(container.webhooks, "/webhooks/nobody/whatsapp") == 404
    assert health(image, container.admin) == 0

    assert container.stop() == 0
    assert health(image, container.admin) == 1


def health(image: Image, admin: int) -> int:
    """Run the image's health check as its user."""
    settings = (image.environment | {"SLUICEGATE_ADMIN_LISTEN_PORT": str(admin)}).items()
    command = ["env", "--ignore-environment", *(f"{name}={value}" for name, value in settings)]
    user = f"--userspec={image.config['User']}"
    return run(
        "chroot", user, image.root, *command, *image.config["Healthcheck"]["Test"][1:], check=False
    ).returncode
