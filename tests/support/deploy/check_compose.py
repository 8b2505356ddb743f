"""What docker-compose.yml promises, and its schema can't say. usage: check_compose.py FOLDER [SERVER]

FOLDER is where scripts/init-deploy has written to; SERVER is the server's binary, which is asked whether it takes the
settings that the compose file gives it.
"""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

compose = YAML(typ="safe").load(Path("docker-compose.yml"))
services = compose["services"]
# With every profile but those for development and for commands.
BESIDE = {"mail": {"mailpit"}, "observe": {"prometheus", "grafana"}}
deployed = {
    name: service
    for name, service in services.items()
    if not set(service.get("profiles", [])) - set(BESIDE)
}
problems = []


def expect(holds, what):
    if not holds:
        problems.append(what)


def one_shot(service):
    return service.get("restart") == "no"


def networks(service):
    return set(service.get("networks") or [])


def check_hardening(name, service):
    expect(service.get("read_only") is True, f"{name}: its file system can be written")
    expect(service.get("cap_drop") == ["ALL"], f"{name}: keeps capabilities")
    expect("no-new-privileges:true" in service.get("security_opt", []), f"{name}: may gain privileges")
    expect("memory" in service["deploy"]["resources"]["limits"], f"{name}: no memory limit")
    expect("max-size" in service["logging"]["options"], f"{name}: its logs grow without end")
    root = service.get("user", "0").split(":")[0] == "0"
    expect(root == (name == "prepare"), f"{name}: runs as root, or prepare does not")
    expect("cap_add" not in service or name == "prepare", f"{name}: adds capabilities")
    # The worker has no port; it shows in /health of the servers.
    expect(one_shot(service) or "healthcheck" in service or name == "worker", f"{name}: no health check")


def check_networks(name, service):
    if "profiles" in service:
        expect(name in BESIDE[service["profiles"][0]] and len(service["profiles"]) == 1, f"{name}: its profile")
        expect(all(port.startswith("127.0.0.1:") for port in service["ports"]), f"{name}: not on loopback")
        expect(networks(service) <= {"app", "observe"}, f"{name}: reaches too far")
    else:
        expect(("ports" in service) == (name == "nginx"), f"{name}: only nginx is published")
        expect("observe" not in networks(service), f"{name}: Grafana reaches it")
    expect(("edge" in networks(service)) == (name == "nginx"), f"{name}: only nginx stands at the edge")
    if name == "redis" or name.startswith("mongo"):
        expect(networks(service) == {"data"}, f"{name}: stores are reached through `data` alone")
    if service.get("network_mode"):
        expect(service["network_mode"] == "none" and not networks(service), f"{name}: network mode")


def check_order(name, service):
    for other, how in (service.get("depends_on") or {}).items():
        shared = set(services[other].get("profiles", [])) <= set(service.get("profiles", []))
        expect(shared, f"{name}: waits for {other}, which runs in a profile alone")
        wanted = "service_completed_successfully" if one_shot(services[other]) else "service_healthy"
        expect(how["condition"] == wanted, f"{name}: waits for {other} as {how['condition']}")
    if one_shot(service):
        adopters = [
            other
            for other, one in deployed.items()
            if not one_shot(one) and name in (one.get("depends_on") or {})
        ]
        expect(adopters, f"{name}: ends, and nothing that goes on waits for it: `up --wait` would fail")


def handed_over():
    """The secrets that deploy/prepare.sh gives to each volume."""
    lines = Path("deploy/prepare.sh").read_text().splitlines()
    calls = [line.split() for line in lines if re.match(r"hand \d", line)]
    return {call[2]: set(call[3:]) for call in calls}


def check_secrets(folder):
    hands = handed_over()
    declared = set(compose["secrets"])
    expect(set(deployed["prepare"]["secrets"]) == declared, "prepare does not get every secret")
    expect(set().union(*hands.values()) == declared, "prepare.sh does not hand over every secret")
    written = {path.name: path for path in (folder / "secrets").iterdir()}
    expect(set(written) == declared, f"init-deploy writes {sorted(set(written) ^ declared)} too much or too little")
    for path in [*written.values(), folder / ".env"]:
        expect(stat.S_IMODE(path.stat().st_mode) == 0o600, f"{path.name}: others may read it")
    readers = {
        "nginx": "deploy/nginx/nginx.conf",
        "redis": "deploy/redis/redis.conf",
        "mongo-init": "deploy/mongo/init.js",
    }
    for name, service in deployed.items():
        if name == "prepare":
            continue
        text = repr(service) + (Path(readers[name]).read_text() if name in readers else "")
        needed = set(re.findall(r"/run/secrets/([a-z_.]+\w)", text)) | set(re.findall(r"secret\('(\w+)'\)", text))
        mounted = re.search(r"secrets-(\w+)", repr(service.get("volumes")))
        given = hands[mounted.group(1)] if mounted else set()
        expect(needed <= given, f"{name}: is not given {sorted(needed - given)}")


def check_metrics():
    """Prometheus asks whoever has metrics, at the port that they are told."""
    scraped = YAML(typ="safe").load(Path("deploy/prometheus/prometheus.yml"))["scrape_configs"]
    expect([one["job_name"] for one in scraped] == ["sealgate"], "prometheus: its one job is not sealgate")
    asked = {target for group in scraped[0]["static_configs"] for target in group["targets"]}
    asked |= {f"{name}:{found['port']}" for found in scraped[0]["dns_sd_configs"] for name in found["names"]}
    having = {
        f"{name}:{service['environment']['METRICS_ADDR'].split(':')[1]}"
        for name, service in deployed.items()
        if "METRICS_ADDR" in (service.get("environment") or {}) and not one_shot(service)
    }
    expect(asked == having, f"prometheus asks {sorted(asked)}, and metrics have {sorted(having)}")


def check_settings(folder, server):
    """The binary reads what the containers would: .env, then the fixed settings, with each path where it is here."""
    environment = {}
    for name, value in deployed["server-1"]["environment"].items():
        value = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
        environment[name] = value.replace("/run/secrets", str((folder / "secrets").resolve()))
    for change in ({}, {"ENVIRONMENT": "production", "MAIL_SERVER": "mail.example.com", "MAIL_STARTTLS": "on"}):
        asked = subprocess.run(
            [os.path.abspath(server), "openapi"], cwd=folder, env=environment | change, capture_output=True, text=True
        )
        expect(asked.returncode == 0, f"the server refuses its settings: {asked.stderr}")


def main():
    folder = Path(sys.argv[1])
    for name, service in deployed.items():
        check_hardening(name, service)
        check_networks(name, service)
        check_order(name, service)
    expect(compose["networks"]["data"].get("internal") is True, "the stores' network leads out")
    for name, service in services.items():
        if service.get("profiles") == ["operator"]:
            check_hardening(name, service)
            expect(networks(service) == {"app", "data"} and "ports" not in service, f"{name}: reaches too far")
        elif name not in deployed:
            expect(networks(service) == {"dev"}, f"{name}: shares a network with the deployment")
            expect(all(port.startswith("127.0.0.1:") for port in service["ports"]), f"{name}: not on loopback")
    check_secrets(folder)
    check_metrics()
    if len(sys.argv) > 2:
        check_settings(folder, sys.argv[2])
    for problem in problems:
        print(f"docker-compose.yml: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
