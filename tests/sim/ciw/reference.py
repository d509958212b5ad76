"""Two models in Ciw 3.2.7, for comparison with the queue lab.

`python reference.py` writes reference.csv, which the test reads; it takes some minutes.
`python reference.py --time` times Ciw and the lab side by side on M/M/3, in seconds of CPU time.
"""

import argparse
import csv
import math
import os
import re
import resource
import statistics
import subprocess
import sys
import time
import tomllib

import ciw

HERE = os.path.dirname(os.path.abspath(__file__))
REPLICATIONS = 20
# Student's t at 97.5 % for 19 degrees of freedom.
T = 2.0930240544082634


def network(scenario):
    (producer,) = scenario["producer"].values()
    (fleet,) = scenario["fleet"].values()
    service = fleet["service"]
    if "exponential" in service:
        times = ciw.dists.Exponential(rate=1 / service["exponential"]["mean"])
    else:
        mean, sd = service["log_normal"]["mean"], service["log_normal"]["sd"]
        variance = math.log(1 + (sd / mean) ** 2)
        times = ciw.dists.Lognormal(math.log(mean) - variance / 2, math.sqrt(variance))
    return ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=producer["arrivals"]["poisson"]["rate"])],
        service_distributions=[times],
        number_of_servers=[fleet["workers"]],
    )


def simulate(model, seed, horizon):
    ciw.seed(seed)
    simulation = ciw.Simulation(model)
    simulation.simulate_until_max_time(horizon)
    return simulation.get_all_records()


def load(name):
    with open(os.path.join(HERE, name + ".toml"), "rb") as file:
        return tomllib.load(file)


def measures(records, warm_up, horizon, servers):
    kept = [it for it in records if warm_up <= it.arrival_date]
    return {
        "mean_wait": statistics.fmean(it.waiting_time for it in kept),
        "mean_time_in_system": statistics.fmean(it.exit_date - it.arrival_date for it in kept),
        "waited_share": statistics.fmean(it.waiting_time > 0 for it in kept),
        "utilisation": sum(it.service_time for it in kept) / (horizon - warm_up) / servers,
    }


def write_reference():
    horizon, warm_up = 50_000.0, 2_000.0
    rows = []
    for name in ["mm3", "mg2"]:
        scenario = load(name)
        model = network(scenario)
        (fleet,) = scenario["fleet"].values()
        runs = []
        for seed in range(REPLICATIONS):
            runs.append(measures(simulate(model, seed, horizon), warm_up, horizon, fleet["workers"]))
            print(name, seed, runs[-1], file=sys.stderr)
        for measure in runs[0]:
            values = [run[measure] for run in runs]
            half_width = T * statistics.stdev(values) / math.sqrt(REPLICATIONS)
            rows.append([name, measure, f"{statistics.fmean(values):.6f}", f"{half_width:.6f}"])
    with open(os.path.join(HERE, "reference.csv"), "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["model", "measure", "mean", "half_width"])
        writer.writerows(rows)


def write_times():
    scenario = load("mm3")
    model = network(scenario)
    horizon = 50_000.0
    ciw.seed(0)
    simulation = ciw.Simulation(model)
    started = time.process_time()
    simulation.simulate_until_max_time(horizon)
    took = time.process_time() - started
    # Not in the time: the records are read out afterwards.
    messages = len(simulation.get_all_records())
    of_ciw = messages / took
    print(f"Ciw {ciw.__version__}: {messages:,} messages in {took:.2f} s, {of_ciw:,.0f} a second")
    command = "cargo run --quiet --release --features sim --example queue_lab --".split()
    # Built before the time is taken.
    subprocess.run([*command, "--help"], capture_output=True, check=False)
    started = children_time()
    command.append(os.path.join(HERE, "mm3.toml"))
    output = subprocess.run(command, check=True, capture_output=True, text=True)
    took = children_time() - started
    found = re.search(r"([\d,]+) messages in .* a second", output.stdout + output.stderr)
    if found is None:
        sys.exit(f"no count of messages in the output of the example:\n{output.stdout}{output.stderr}")
    messages = int(found[1].replace(",", ""))
    of_lab = messages / took
    print(f"queue lab: {messages:,} messages in {took:.2f} s, {of_lab:,.0f} a second")
    print(f"{of_lab / of_ciw:.0f} times as many")


def children_time():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", action="store_true", help="time Ciw and the lab on M/M/3")
    if parser.parse_args().time:
        write_times()
    else:
        write_reference()
