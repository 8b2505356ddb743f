"""What the manifests of deploy/kubernetes, and the chart in other shapes, promise, and Kubernetes' schemas can't say.

usage: check_kubernetes.py FOLDER [SERVER]

FOLDER has what the chart rendered, a file a shape; SERVER is the server's binary, which is asked whether it takes the settings
that the ConfigMap gives it.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import kubernetes_validate
from ruamel.yaml import YAML

# The oldest that Chart.yaml takes, one between, the newest that the package has.
VERSIONS = ("1.30", "1.33", "1.37")
# Of others, whose schemas the package has not.
FOREIGN = {"ServiceMonitor"}
problems = []


def expect(holds, what):
    if not holds:
        problems.append(what)


def matches(selector, labels):
    return all(labels.get(name) == value for name, value in selector.items())


class Manifests:
    def __init__(self, path):
        self.name = path.name
        yaml = YAML(typ="safe")
        # As Kubernetes reads it: 0400 is a mode, `on` a truth.
        yaml.version = (1, 1)
        self.all = [one for one in yaml.load_all(path) if one]

    def of(self, *kinds):
        return [one for one in self.all if one["kind"] in kinds]

    def workloads(self):
        return self.of("StatefulSet", "Deployment", "Job")

    def pods(self):
        """Workload, its pods' labels and their specification."""
        for one in self.workloads():
            template = one["spec"]["template"]
            yield f"{self.name}: {one['metadata']['name']}", template["metadata"]["labels"], template["spec"]

    def ports(self, labels_wanted):
        return {
            port["name"]
            for _, labels, pod in self.pods()
            if matches(labels_wanted, labels)
            for container in pod["containers"]
            for port in container.get("ports", [])
        }

    def check_schema(self):
        for one in self.all:
            if one["kind"] in FOREIGN:
                continue
            for version in VERSIONS:
                try:
                    kubernetes_validate.validate(one, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    problems.append(f"{self.name}: {one['kind']} {one['metadata']['name']}: {version}: {error}")

    def check_restricted(self):
        """The profile `restricted` of Kubernetes' pod security standards, and a little more."""
        for name, _, pod in self.pods():
            context = pod["securityContext"]
            expect(context.get("runAsNonRoot") is True and context.get("runAsUser", 0) > 0, f"{name}: may run as root")
            expect(context.get("seccompProfile") == {"type": "RuntimeDefault"}, f"{name}: no seccomp profile")
            expect(pod.get("automountServiceAccountToken") is False, f"{name}: has a token of the cluster's")
            shared = {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
            expect(not shared, f"{name}: shares {shared} with its node")
            kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
            expect(kinds <= {"secret", "emptyDir", "persistentVolumeClaim"}, f"{name}: has volumes {kinds}")
            for container in pod["containers"]:
                held = container["securityContext"]
                expect(held.get("allowPrivilegeEscalation") is False, f"{name}: may gain privileges")
                expect(held.get("capabilities") == {"drop": ["ALL"]}, f"{name}: keeps capabilities")
                expect(held.get("readOnlyRootFilesystem") is True, f"{name}: its file system can be written")
                expect("memory" in container["resources"]["limits"], f"{name}: no memory limit")
                expect(not container["image"].endswith(":latest"), f"{name}: its image is not pinned")
                secret = [env for env in container.get("env", []) if "secretKeyRef" in str(env)]
                expect(not secret, f"{name}: a secret is in its environment")

    def check_probes(self):
        for one in self.of("StatefulSet"):
            name, pod = one["metadata"]["name"], one["spec"]["template"]["spec"]
            container = pod["containers"][0]
            ports = {port["name"] for port in container.get("ports", [])}
            wanted = {"startupProbe", "livenessProbe"} | ({"readinessProbe"} if name.endswith("-server") else set())
            probes = {kind: container[kind] for kind in container if kind.endswith("Probe")}
            expect(set(probes) == (wanted if ports else set()), f"{self.name}: {name} has {sorted(probes)}")
            for kind, probe in probes.items():
                how = probe.get("httpGet") or probe.get("tcpSocket")
                expect(how["port"] in ports, f"{self.name}: {name}: {kind} asks a port that there is not")
            expect(pod["terminationGracePeriodSeconds"] >= 25, f"{self.name}: {name} is cut off")

    def check_references(self):
        """What names something else names something that is there."""
        workloads = {(one["kind"], one["metadata"]["name"]) for one in self.workloads()}
        named = {(one["kind"], one["metadata"]["name"]): one for one in self.all}
        for service in self.of("Service"):
            for port in service["spec"]["ports"]:
                there = self.ports(service["spec"]["selector"])
                is_off = port["name"] == "metrics" and "metrics" not in there and "no-metrics" in self.name
                expect(port["targetPort"] in there or is_off, f"{self.name}: {service['metadata']['name']} leads nowhere")
        for scaler in self.of("HorizontalPodAutoscaler"):
            target = scaler["spec"]["scaleTargetRef"]
            expect((target["kind"], target["name"]) in workloads, f"{self.name}: scales nothing")
            expect("replicas" not in named[target["kind"], target["name"]]["spec"], f"{self.name}: replicas against scaler")
        for policy in self.of("PodDisruptionBudget"):
            selector = policy["spec"]["selector"]["matchLabels"]
            expect(any(matches(selector, labels) for _, labels, _ in self.pods()), f"{self.name}: keeps no pods up")
        for policy in self.of("NetworkPolicy"):
            ports = self.ports(policy["spec"]["podSelector"]["matchLabels"])
            for rule in policy["spec"].get("ingress", []):
                expect({port["port"] for port in rule["ports"]} <= ports, f"{self.name}: a port that there is not")
        for monitor in self.of("ServiceMonitor"):
            selector = monitor["spec"]["selector"]["matchLabels"]
            found = [one for one in self.of("Service") if matches(selector, one["metadata"]["labels"])]
            expect(len(found) == 1, f"{self.name}: the ServiceMonitor finds {len(found)} services")
            ports = {port["name"] for one in found for port in one["spec"]["ports"]}
            expect({end["port"] for end in monitor["spec"]["endpoints"]} <= ports, f"{self.name}: scrapes nothing")
            job = found[0]["metadata"]["labels"][monitor["spec"]["jobLabel"]]
            expect(job == "sealgate", f"{self.name}: its job is {job}, and the alerts ask for sealgate")
        for ingress in self.of("Ingress"):
            for rule in ingress["spec"]["rules"]:
                backend = rule["http"]["paths"][0]["backend"]["service"]
                expect(("Service", backend["name"]) in named, f"{self.name}: the Ingress leads nowhere")
        if self.of("StatefulSet"):
            self.check_journal(named)

    def check_journal(self, named):
        for one in self.of("StatefulSet"):
            expect(("Service", one["spec"]["serviceName"]) in named, f"{self.name}: no service of the pods")
            claims = {claim["metadata"]["name"] for claim in one["spec"].get("volumeClaimTemplates", [])}
            pod = one["spec"]["template"]["spec"]
            mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
            volumes = {volume["name"] for volume in pod["volumes"]} | claims
            expect(set(mounts) == volumes, f"{self.name}: {one['metadata']['name']}: {set(mounts) ^ volumes}")
            journal = self.settings()["ERASURE_JOURNAL"]
            is_kept = journal == "off" if "erasures" not in mounts else journal.startswith(mounts["erasures"] + "/")
            expect(is_kept, f"{self.name}: the journal at {journal} goes with its pod")

    def settings(self):
        return self.of("ConfigMap")[0]["data"]

    def check_names(self, known):
        """The server passes over a name that it does not know."""
        for name in self.settings():
            expect(name in known or name.removesuffix("_FILE") in known, f"{self.name}: there is no setting {name}")

    def check_settings(self, server):
        """The binary reads what the pods would, with each file where it is here."""
        with tempfile.TemporaryDirectory() as folder:
            for name, value in {
                "mongo_url": "mongodb://sealgate:password@mongo-0.mongo:27017/?replicaSet=rs0&authSource=admin",
                "redis_url": "redis://:password@redis:6379",
            }.items():
                Path(folder, name).write_text(value)
            Path(folder, "token").write_text("token")
            for name in ("mail_password", "twilio_auth_token"):
                Path(folder, name).touch()
            given = {name: value.replace("/run/secrets/sealgate", folder) for name, value in self.settings().items()}
            asked = subprocess.run([server, "openapi"], cwd=folder, env=given, capture_output=True, text=True)
            expect(asked.returncode == 0, f"{self.name}: the server refuses its settings: {asked.stderr}")


def main():
    known = set(re.findall(r"^#([A-Z][A-Za-z0-9_]*)=", Path(".env.example").read_text(), re.M))
    chart = YAML(typ="safe").load(Path("deploy/helm/sealgate/Chart.yaml"))
    version = re.search(r'^version = "(.*)"$', Path("Cargo.toml").read_text(), re.M).group(1)
    expect(chart["appVersion"] == version, f"the chart runs {chart['appVersion']}, and this is {version}")
    unit = re.findall(r"^#?([A-Z][A-Z0-9_]*)=", Path("deploy/systemd/sealgate.env").read_text(), re.M)
    unknown = [name for name in unit if name not in known and name.removesuffix("_FILE") not in known]
    expect(not unknown, f"sealgate.env: there are no settings {unknown}")
    files = [*sorted(Path("deploy/kubernetes").glob("*.yaml")), *sorted(Path(sys.argv[1]).glob("*.yaml"))]
    for path in files:
        if path.name == "values.yaml":
            continue
        manifests = Manifests(path)
        manifests.check_schema()
        manifests.check_restricted()
        manifests.check_probes()
        manifests.check_references()
        if manifests.of("ConfigMap"):
            manifests.check_names(known)
        if len(sys.argv) > 2 and manifests.of("ConfigMap"):
            manifests.check_settings(os.path.abspath(sys.argv[2]))
    for problem in problems:
        print(f"deploy: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
