"""The site as deploy/ sets it up: nginx with TLS, two servers, a worker and Redis, with production settings."""

import contextlib
import datetime
import os
import re
import signal
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from testing.services import LOCAL_HTTPX_OPTIONS, find_free_port, find_program, wait_until
from testing.site import PLATFORM_KEY_SETTINGS, PROJECT_ROOT, UNLIMITED_SETTINGS, SiteProcess

NGINX_CONF = PROJECT_ROOT / "deploy" / "nginx" / "diagsite.conf"
NGINX_MAIN_CONF = PROJECT_ROOT / "deploy" / "nginx" / "nginx.conf"
TEMPORARY_PATHS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def create_self_signed_certificate(directory: Path, host: str = "localhost") -> tuple[Path, Path]:
    """Create a self-signed certificate for a host; return the paths of certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = directory / "fullchain.pem", directory / "privkey.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return files


class ProxiedSite:
    """nginx at `url` with two servers behind it that can be restarted. Raises MissingServiceError without nginx."""

    def __init__(self, directory: Path, database: str, redis_url: str, **extra: str) -> None:
        self.binary = find_program("nginx")
        self.directory = directory
        self.certificate, self._key = create_self_signed_certificate(directory)
        self.port, self._http_port = find_free_port(), find_free_port()
        self.url = f"https://localhost:{self.port}"
        self.ssl_context = ssl.create_default_context(cafile=str(self.certificate))
        self.ports = [find_free_port(), find_free_port()]
        variables = {
            "ENVIRONMENT": "production",
            "SECRET_KEY": "only-of-a-test-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789",
            "ALLOWED_HOSTS": "localhost",
            "REDIS_URL": redis_url,
            "OUTGOING_HOSTS": "127.0.0.1",
            "DEMO": "1",
            "MAX_UNFINISHED_DIAGNOSES": "0",
            "MAX_UNFINISHED_PER_OWNER": "0",
            **UNLIMITED_SETTINGS,
            **PLATFORM_KEY_SETTINGS,
            **extra,
        }
        self.servers = [
            SiteProcess(["serve", "--port", str(port), "--concurrency", "0"], database, **variables)
            for port in self.ports
        ]
        self.worker = SiteProcess(["procrastinate", "worker"], database, **variables)
        self._nginx: subprocess.Popen[bytes] | None = None

    def write_nginx_config(self) -> Path:
        """Write the shipped configuration with this test's ports and paths; return the path of nginx's main file."""
        site = {
            r"listen \[::\]:\d+[^;]*;": "",
            r"listen 80;": f"listen 127.0.0.1:{self._http_port};",
            r"listen 443": f"listen 127.0.0.1:{self.port}",
            r"site\.example": "localhost",
            r"127\.0\.0\.1:8765": f"127.0.0.1:{self.ports[0]}",
            r"127\.0\.0\.1:8766": f"127.0.0.1:{self.ports[1]}",
            r"(limit_conn diagsite_sockets) \d+;": r"\1 65535;",  # all clients of a test have one address
            r"/etc/ssl/diagsite|/var/log/nginx": str(self.directory),
        }
        temporary = "".join(f"{name}_temp_path {self.directory}/{name};" for name in TEMPORARY_PATHS)
        main = {
            r"user www-data;": "user root;" if os.geteuid() == 0 else "",
            r"include /etc/nginx/modules-enabled/\*\.conf;": "daemon off;",
            r"/run(?=/nginx\.pid)|/var/log/nginx": str(self.directory),
            r"include /etc/nginx/conf\.d/\*\.conf;": f"{temporary} include {self.directory}/diagsite.conf;",
        }
        path = self.directory / "nginx.conf"
        path.write_text(_replace_all(NGINX_MAIN_CONF.read_text(), main))
        (self.directory / "diagsite.conf").write_text(_replace_all(NGINX_CONF.read_text(), site))
        return path

    def build_nginx_command(self, *arguments: str) -> list[str]:
        """Return a command line of nginx with this configuration."""
        return [self.binary, "-c", str(self.write_nginx_config()), "-p", str(self.directory), *arguments]

    def is_ready(self, port: int) -> bool:
        """Tell whether a server is ready, by the same request as deploy/wait-until-ready."""
        with contextlib.suppress(httpx.TransportError):
            response = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5, **LOCAL_HTTPX_OPTIONS)
            return response.status_code == 200
        return False

    def start(self) -> None:
        """Start everything, and return when both servers are ready."""
        for process in [*self.servers, self.worker]:
            process.start()
        log = (self.directory / "out.log").open("wb")
        self._nginx = subprocess.Popen(self.build_nginx_command(), stdout=log, stderr=log)
        for port in self.ports:
            wait_until(lambda port=port: self.is_ready(port), f"the server at {port}")  # type: ignore[misc]

    def restart_server(self, number: int) -> None:
        """Restart a server as `systemctl restart` does: SIGTERM, wait for its end, start it, wait until it is ready."""
        server, port = self.servers[number], self.ports[number]
        server.send_signal(signal.SIGTERM)
        server.wait(60)
        server.start()
        wait_until(lambda: self.is_ready(port), f"the server at {port}")

    def stop(self) -> None:
        """Kill all processes."""
        for process in [*self.servers, self.worker]:
            process.kill()
        if self._nginx:
            self._nginx.terminate()
            self._nginx.wait()


def _replace_all(text: str, replacements: dict[str, str]) -> str:
    """Replace regular expressions; each must occur."""
    for pattern, new in replacements.items():
        text, count = re.subn(pattern, new, text)
        assert count, pattern
    return text


@contextlib.contextmanager
def running_proxied_site(directory: Path, database: str, redis_url: str, **extra: str) -> Iterator[ProxiedSite]:
    """Run the block with a started `ProxiedSite`."""
    site = ProxiedSite(directory, database, redis_url, **extra)
    try:
        site.start()
        yield site
    finally:
        site.stop()
