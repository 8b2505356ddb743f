"""Looks at Grafana's files, and writes every expression of the dashboard as a rule, for promtool to parse.

usage: check_dashboard.py RULES
"""

import json
import sys
from pathlib import Path

from ruamel.yaml import YAML

FOLDER = Path("deploy/grafana")
problems = []


def expect(holds, what):
    if not holds:
        problems.append(what)


def load(path):
    return YAML(typ="safe").load(FOLDER / "provisioning" / path)


def main():
    dashboard = json.loads((FOLDER / "dashboards/sealgate.json").read_text())
    panels = dashboard["panels"]
    ids = [panel["id"] for panel in panels]
    expect(len(set(ids)) == len(ids), "two panels have one id")
    taken, rules = {}, []
    for panel in panels:
        place = panel["gridPos"]
        expect(place["x"] + place["w"] <= 24, f"{panel['title']}: wider than the page")
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                other = taken.setdefault((x, y), panel["title"])
                expect(other == panel["title"], f"{panel['title']} lies on {other}")
        if panel["type"] == "row":
            continue
        expect(panel["datasource"]["uid"] == "${datasource}", f"{panel['title']}: another data source")
        references = [target["refId"] for target in panel["targets"]]
        expect(references and len(set(references)) == len(references), f"{panel['title']}: no query, or two of one name")
        rules += [target["expr"] for target in panel["targets"]]
    rules += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
    for expression in rules:
        expect("$instance" in expression or "instance=~" not in expression, f"no such variable: {expression}")
    source = load("datasources/prometheus.yml")["datasources"][0]
    expect(source["type"] == "prometheus" and source["url"] == "http://prometheus:9090", "the data source is not ours")
    mounted = load("dashboards/sealgate.yml")["providers"][0]["options"]["path"]
    grafana = YAML(typ="safe").load(Path("docker-compose.yml"))["services"]["grafana"]
    expect(f"./deploy/grafana/dashboards:{mounted}:ro" in grafana["volumes"], "the dashboards are mounted elsewhere")
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    expect(home == f"{mounted}/sealgate.json", "the first page is another dashboard")
    plain = [one.replace("$__rate_interval", "5m").replace("$instance", ".*") for one in rules]
    recorded = [{"record": f"panel:{n}", "expr": expression} for n, expression in enumerate(plain)]
    with open(sys.argv[1], "w") as out:
        YAML().dump({"groups": [{"name": "panels", "rules": recorded}]}, out)
    for problem in problems:
        print(f"deploy/grafana: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
