"""The Helm chart: rendered by helm, and checked against the schemas of Kubernetes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.urls import resolve

from tests.support.helm_chart import (
    ALL,
    BIN,
    CHART,
    COMPONENTS,
    MINIMAL,
    changed,
    component,
    compose,
    container,
    environment,
    helm,
    hidden,
    keys,
    objects,
    pod,
    rendered,
)
from tests.support.servers.live import ROOT

pytestmark = [pytest.mark.one_database, pytest.mark.needs("helm")]

#: The oldest version that Chart.yaml accepts, and the one of the schemas.
VERSIONS = ("1.30", "1.37")
NOT_IN_THE_CHART = {"ACCEL_LOCATION", "METRICS_TOKEN_FILE"}

every_set = pytest.mark.parametrize("name", ALL)
each_component = pytest.mark.parametrize("part", COMPONENTS)


# -- the schemas of Kubernetes ------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_every_rendered_object_satisfies_the_schema_of_kubernetes(
    version: str, tmp_path: Path
) -> None:
    different = {json.dumps(one) for name in ALL for one in objects(name)}
    assert {json.loads(one)["kind"] for one in different} >= {"Ingress", "HorizontalPodAutoscaler"}
    file = tmp_path / "objects.yaml"
    file.write_text("\n---\n".join(different))
    command = [str(BIN / "kubernetes-validate"), "--strict", "-k", version, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count(" passed for resource ") == len(different)


def test_the_validation_would_find_a_wrong_key(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(rendered("minimal").replace("maxUnavailable: 0", "mostUnavailable: 0"))
    command = [str(BIN / "kubernetes-validate"), "--strict", "-k", VERSIONS[-1], str(wrong)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "mostUnavailable" in done.stdout + done.stderr


# -- the same as in the other containers --------------------------------------------------


@each_component
def test_pods_run_the_commands_of_compose(part: str) -> None:
    assert container("minimal", part)["command"] == compose()["services"][part]["command"]


def test_the_chart_has_the_settings_and_secrets_of_compose() -> None:
    """Except the location of nginx, which has no nginx here, and the token of a public /metrics."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    settings = set(schema["properties"]["settings"]["properties"])
    set_ = {name for part in COMPONENTS for name in environment("everything", part)}
    services_ = compose()["services"]
    wanted = {name for part in COMPONENTS for name in services_[part]["environment"]}
    assert settings | set_ == wanted - NOT_IN_THE_CHART


@each_component
def test_each_component_gets_the_variables_that_compose_gives_it(part: str) -> None:
    wanted = set(compose()["services"][part]["environment"])
    assert set(environment("everything", part)) <= wanted
    secret = {name for name in wanted - NOT_IN_THE_CHART if name.endswith("_FILE")}
    assert {n for n in environment("everything", part) if n.endswith("_FILE")} == secret


@pytest.mark.parametrize("part", ["web", "worker"])
def test_the_portal_starts_with_what_the_chart_gives_it(part: str, tmp_path: Path) -> None:
    """Production settings accept the environment and the files, each of which is mounted."""
    for key in hidden("everything", part):
        (tmp_path / key).write_text(keys()[key])
        (tmp_path / key).chmod(0o440)
    variables = {
        name: value.replace("/srv/secrets", str(tmp_path))
        for name, value in environment("everything", part).items()
    }
    code = "from django.conf import settings; print(settings.ALLOWED_HOSTS, settings.DATABASES)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "portal.settings.production",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("['weights.example.org']")
    assert "hidden-postgres" in done.stdout


# -- secrets --------------------------------------------------------------------------------


def test_a_secret_stands_in_the_secret_and_nowhere_else() -> None:
    (secret,) = objects("everything", "Secret")
    assert secret["stringData"] == keys()
    others = yaml.safe_dump_all(one for one in objects("everything") if one != secret)
    for key, value in keys().items():
        body = value.splitlines()[1] if "BEGIN" in value else value
        assert body not in others, key


def test_outside_secrets_reach_only_the_component_that_uses_them() -> None:
    sign_in = {f"{name}_client_secret" for name in ("orcid", "github", "google")}
    signing = {"manifest.pem", "audit.pem", "email_password"}
    common = set(keys()) - sign_in - signing
    assert hidden("everything", "web") == common | sign_in
    assert hidden("everything", "worker") == common | signing
    assert hidden("everything", "beat") == hidden("everything", "prepare") == common


def test_the_secret_exists_before_the_migration_and_outlives_the_release() -> None:
    (secret,) = objects("everything", "Secret")
    policies = objects("everything", "NetworkPolicy")
    (policy,) = [one for one in policies if one["metadata"]["name"] == "wb-prepare"]
    hooks = [
        one["metadata"]["annotations"]
        for one in (secret, policy, component("everything", "prepare"))
    ]
    assert {hook["helm.sh/hook"] for hook in hooks} == {"pre-install,pre-upgrade"}
    weights = [int(hook["helm.sh/hook-weight"]) for hook in hooks]
    assert weights == sorted(set(weights))


def test_an_existing_secret_is_used_and_none_is_made() -> None:
    assert objects("minimal", "Secret") == []
    for part in COMPONENTS:
        (volume,) = [one for one in pod("minimal", part)["volumes"] if one["name"] == "secrets"]
        assert volume["secret"]["secretName"] == "weighbridge-keys"


# -- pods -----------------------------------------------------------------------------------


@every_set
@each_component
def test_pods_need_no_right_of_root_and_write_only_where_the_image_does(
    name: str, part: str
) -> None:
    spec = pod(name, part)
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    one = container(name, part)
    assert one["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {mount["mountPath"] for mount in one["volumeMounts"] if not mount.get("readOnly")}
    assert writable == ({"/tmp", "/srv/weights"} if name == "shared volume" else {"/tmp"})
    assert one["resources"]["requests"]
    assert one["resources"]["limits"]["memory"]


def test_web_is_replaced_without_a_gap_and_beat_is_never_doubled() -> None:
    web, beat = component("minimal", "web")["spec"], component("minimal", "beat")["spec"]
    assert web["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert web["replicas"] >= 2
    assert (beat["replicas"], beat["strategy"]) == (1, {"type": "Recreate"})
    budgets = {one["metadata"]["name"] for one in objects("minimal", "PodDisruptionBudget")}
    assert budgets == {"wb-web", "wb-worker"}, "one for beat would block each drain of its node"


@pytest.mark.parametrize("kind", ["startup", "readiness", "liveness"])
def test_probes_of_web_ask_for_pages_of_the_portal_as_the_ingress_would(kind: str) -> None:
    probe = container("minimal", "web")[f"{kind}Probe"]["httpGet"]
    assert resolve(probe["path"]).func.__name__ == {"startup": "readyz"}.get(kind, "healthz")
    sent = {header["name"]: header["value"] for header in probe["httpHeaders"]}
    assert sent == {"Host": "weights.example.org", "X-Forwarded-Proto": "https"}


def test_the_probe_of_a_worker_is_the_health_check_of_compose() -> None:
    probe = container("minimal", "worker")["livenessProbe"]
    check = compose()["services"]["worker"]["healthcheck"]
    assert probe["exec"]["command"] == check["test"][1:]
    assert f"{probe['periodSeconds']}s" == check["interval"]
    assert f"{probe['timeoutSeconds']}s" == check["timeout"]


def test_autoscaling_owns_the_number_of_pods() -> None:
    scalers = {
        one["spec"]["scaleTargetRef"]["name"]: one
        for one in objects("autoscaling", "HorizontalPodAutoscaler")
    }
    assert set(scalers) == {"wb-web", "wb-worker"}
    for part in ("web", "worker"):
        assert "replicas" not in component("autoscaling", part)["spec"]
    (metric,) = scalers["wb-worker"]["spec"]["metrics"]
    assert metric["external"]["metric"]["name"] == "weighbridge_verification_waiting_blobs"
    assert objects("minimal", "HorizontalPodAutoscaler") == []


def test_a_claim_for_backups_makes_a_nightly_job_that_can_sign_them() -> None:
    assert objects("minimal", "CronJob") == []
    (job,) = objects("everything", "CronJob")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    spec = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (one,) = spec["containers"]
    assert one["command"][1:] == ["manage.py", "backup", "/srv/backups/weighbridge", "--no-blobs"]
    given = {variable["name"] for variable in one["env"]}
    assert {"AUDIT_KEY_FILE", "MANIFEST_KEY_FILE", "DATABASE_URL"} <= given
    assert "EMAIL_PASSWORD_FILE" not in given
    assert {"name": "backups", "mountPath": "/srv/backups"} in one["volumeMounts"]
    (volume,) = [volume for volume in spec["volumes"] if volume["name"] == "backups"]
    assert volume["persistentVolumeClaim"] == {"claimName": "backups"}
    policies = {one["metadata"]["name"]: one for one in objects("everything", "NetworkPolicy")}
    assert ports(policies["wb-backup"]) == {5432, 6379, 443}


# -- the network --------------------------------------------------------------------------


def ports(policy: dict[str, Any]) -> set[int]:
    """The ports that a policy lets out, without DNS."""
    found = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    return found - {53}


def test_every_pod_opens_and_accepts_only_what_its_policy_names() -> None:
    policies = {one["metadata"]["name"]: one for one in objects("minimal", "NetworkPolicy")}
    assert set(policies) == {f"wb-{part}" for part in COMPONENTS}
    for part in COMPONENTS:
        spec = policies[f"wb-{part}"]["spec"]
        labels = component("minimal", part)["spec"]["template"]["metadata"]["labels"]
        assert spec["podSelector"]["matchLabels"] == labels
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        assert bool(spec.get("ingress")) == (part == "web"), part
    assert ports(policies["wb-beat"]) == ports(policies["wb-prepare"]) == {5432, 6379}
    assert ports(policies["wb-web"]) == {5432, 6379, 443}
    assert ports(policies["wb-worker"]) == {5432, 6379, 443, 587}


def test_metrics_have_a_port_of_their_own_for_prometheus_alone() -> None:
    policies = objects("everything", "NetworkPolicy")
    (policy,) = [one for one in policies if one["metadata"]["name"] == "wb-web"]
    pages, metrics = policy["spec"]["ingress"]
    assert metrics["ports"] == [{"port": 9100}]
    assert metrics["from"] != pages["from"]
    named = {
        port["name"]: port["containerPort"] for port in container("everything", "web")["ports"]
    }
    assert named == {"http": 8000, "metrics": 9100}
    assert environment("everything", "web")["METRICS_ADDRESS"].endswith(":9100")
    assert "METRICS_ADDRESS" not in environment("minimal", "web")


def test_addresses_of_a_service_narrow_its_rule() -> None:
    for policy in objects("placed", "NetworkPolicy"):
        (rule,) = [one for one in policy["spec"]["egress"] if one["ports"] == [{"port": 5432}]]
        assert rule["to"] == [{"ipBlock": {"cidr": "10.1.2.3/32"}}]


def test_the_ingress_is_for_the_host_of_the_public_address() -> None:
    (ingress,) = objects("ingress with TLS", "Ingress")
    assert ingress["spec"]["tls"] == [
        {"hosts": ["weights.example.org"], "secretName": "weights-tls"}
    ]
    (rule,) = ingress["spec"]["rules"]
    assert rule["host"] == "weights.example.org"
    (service,) = objects("ingress with TLS", "Service")
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": service["metadata"]["name"], "port": {"name": "http"}}
    labels = component("minimal", "web")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == labels


# -- bad values -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("settings.TRUSTED_PROXY", 1, "additional properties 'TRUSTED_PROXY' not allowed"),
        ("settings.PUBLIC_URL", "http://weights.example.org", "at '/settings/PUBLIC_URL'"),
        ("settings.WEIGHTS_STORAGE", "weights", "at '/settings/WEIGHTS_STORAGE'"),
        ("settings.WEIGHTS_STORAGE", "file:///srv/weights", "weights.claim: names"),
        ("settings.BROKER_URL", "amqp://mq.example.org/0", "at '/settings/BROKER_URL'"),
        ("settings.DATABASE_URL", "postgres://a:b@db/w", "settings.DATABASE_URL: holds a password"),
        ("settings.EMAIL_URL", "smtp://a:b@mail", "settings.EMAIL_URL: holds a password"),
        ("settings.CDN_URL", "https://cdn.example.org", "settings.CDN_URL: needs cdn.pem"),
        ("settings.ORCID_CLIENT_ID", "APP", "ORCID_CLIENT_ID: needs orcid_client_secret"),
        ("image.repository", "", "at '/image/repository'"),
        ("secrets", {}, "set either secrets.existing (the name of a Secret) or secrets.values"),
        ("secrets.values", {"secret_key": "x"}, "set either secrets.existing"),
        ("secrets", {"values": {"secret_key": "x"}}, "secrets.values.broker_password: is missing"),
        ("secrets", {"values": {"secretkey": "x"}}, "secretkey"),
        ("secrets.files", ["password"], "at '/secrets/files/0'"),
        ("web.replicas", 0, "at '/web/replicas': minimum: got 0, want 1"),
        ("worker.autoscaling.min", 99, "worker.autoscaling: min is greater than max"),
        ("networkPolicy.database.port", 70_000, "at '/networkPolicy/database/port'"),
        ("ingres", {}, "additional properties 'ingres' not allowed"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(path: str, value: object, message: str) -> None:
    done = helm(changed(MINIMAL, {path: value}))
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if message in line]
    assert len(lines) == 1, done.stderr
    assert done.stdout == ""


def test_a_chart_without_values_names_all_that_is_required() -> None:
    done = helm({})
    assert done.returncode != 0
    for name in MINIMAL["settings"]:
        assert f"'{name}'" in done.stderr
    assert "'/image/repository'" in done.stderr
