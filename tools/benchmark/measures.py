"""How each kind of workload is measured: a function of bench, workload and contender gives one round."""

import tempfile

from .servers import Failed


def echo_load(connections, in_flight=1, smallest=64, largest=None, active=None):
    load = ["echo", "--connections", connections, "--in-flight", in_flight, "--smallest", smallest,
            "--largest", largest or smallest]
    return load + (["--active", active] if active else [])


def per_operation(raw):
    if not raw["operations"]:
        raise Failed("nothing was done")
    return raw["server_cpu"] * 1e6 / raw["operations"]


def cpu(bench, workload, contender):
    raw = bench.run(workload, contender)
    return {"value": per_operation(raw), "rate": raw["operations"] / raw["seconds"], "raw": raw}


def rate(bench, workload, contender):
    raw = bench.run(workload, contender)
    return {"value": raw["bytes"] / raw["seconds"] / 2**20, "cpu": per_operation(raw), "raw": raw}


def cpu_with_reference(bench, workload, contender):
    few = per_operation(bench.run(workload, contender, echo_load(64)))
    result = cpu(bench, workload, contender)
    result["reference"] = few
    return result


def per_cpu_second(bench, workload, contender):
    """The load's side of a handshake is the dearer one, so the rate by the clock would be the load's."""
    raw = bench.run(workload, contender)
    return {"value": 1e6 / per_operation(raw), "rate": raw["operations"] / raw["seconds"], "raw": raw}


def with_heap_counters(bench, run):
    with tempfile.NamedTemporaryFile(prefix="tsock-bench-") as file:
        file.write(bytes(64))
        file.flush()
        return run({"LD_PRELOAD": bench.program("heap_counter.so"), "BENCH_HEAP_FILE": file.name}, ["--heap", file.name])


def memory(bench, workload, contender):
    raw = with_heap_counters(bench, lambda env, extra: bench.run(workload, contender, environment=env, extra=extra))
    return {"value": raw["resident_bytes"], "heap": raw["heap_bytes"], "raw": raw}


def allocations_of(bench, workload, contender, loads, environment=None):
    worst, raws = 0.0, []
    for load in loads:
        raw = with_heap_counters(
            bench, lambda env, extra: bench.run(workload, contender, load=load, environment={**env, **(environment or {})},
                                                extra=extra, seconds=0.2))
        raws.append(raw)
        worst = max(worst, raw["allocations"] / max(1, raw["operations"]))
    return {"value": worst, "raw": raws}


def allocations(bench, workload, contender):
    return allocations_of(bench, workload, contender, [echo_load(64), echo_load(64, 32), echo_load(16, 4, 16384)])


def tls_allocations(bench, workload, contender):
    """Without what OpenSSL takes."""
    loads = [load + ["--tls", 1] for load in (echo_load(64), echo_load(64, 32), echo_load(16, 4, 16384))]
    return allocations_of(bench, workload, contender, loads, {"BENCH_HEAP_WITHOUT_OPENSSL": "1"})


def gssapi_allocations(bench, workload, contender):
    """Without what the libraries of Kerberos take."""
    loads = [load + ["--gssapi", "sealed"] for load in (echo_load(64), echo_load(64, 32), echo_load(16, 4, 16384))]
    return allocations_of(bench, workload, contender, loads, {"BENCH_HEAP_WITHOUT_GSSAPI": "1"})


def npa_allocations(bench, workload, contender):
    loads = [load + ["--npa", 1, "--messages", 1] for load in (echo_load(64), echo_load(64, 32), echo_load(64, 8, 4096))]
    return allocations_of(bench, workload, contender, loads)


def datagram_allocations(bench, workload, contender):
    return allocations_of(bench, workload, contender, [["datagram", "--in-flight", 32]])


def nanoseconds(bench, workload, contender):
    raw = bench.alone(contender, "deadline")
    return {"value": raw["seconds"] * 1e9 / raw["operations"], "raw": raw}


def per_second(bench, workload, contender):
    raw = bench.alone(contender, "post")
    return {"value": raw["operations"] / raw["seconds"], "raw": raw}


def two_loops(bench, workload, contender):
    """The example with a loop for each core; one loop has a core and the load the other, two share both with it."""
    rates, raws = [], []
    both = {bench.server_core, bench.load_core}
    for loops, server_cores, load_cores in ((1, {bench.server_core}, {bench.load_core}), (2, both, both)):
        server = bench.start([bench.program("bench_many_loops"), loops, "127.0.0.1:0"], server_cores)
        try:
            port = bench.first_line(server).strip().rsplit(":", 1)[1]
            raw = bench.load(server, [port], workload.load, bench.seconds * workload.weight, cores=load_cores)
        finally:
            bench.stop(server)
        raws.append(raw)
        rates.append(raw["operations"] / raw["seconds"])
    return {"value": rates[1] / rates[0], "rate": rates[1], "raw": raws}
