"""Times the published manifold Muon solvers in PyTorch, to set beside `muond bench step`.

Each solver is written from its published formulas: dual ascent (Bernstein, "Modular Manifolds",
2025; 100 iterations, bfloat16 msign of 10 steps), ADMM (Buchanan, 2025; 10 iterations), and plain
Muon's msign of 5 steps, which is no step on a manifold but the price that users know.

A case is MxN, a batch of matrices BxMxN, or the layers of a network joined by +, as for `muond
bench step`. On CUDA times are those of events around each call, and --compile adds plain Muon's
msign by torch.compile.

usage: python peers.py [--device cpu|cuda] [--shapes 512x512,12x768x768,128x3072+64x128+10x64]
                       [--compile] [--threads 2] [--repeats 5] [--json]
"""

import argparse
import json
import platform
import re
import statistics
import time

import torch

torch.set_grad_enabled(False)

# Polar Express (arXiv 2505.16932), the list published for l = 1e-3.
QUINTICS = [
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375),
]
SAFETY = 1.01

SHAPES = {
    "cpu": "512x512,1024x512,2048x512,4096x512",
    "cuda": "12x768x768,12x3072x768,4096x4096,8192x4096,16384x4096,128x3072+64x128+10x64",
}

# Dual ascent is timed for so many of its iterations and multiplied up.
ITERATIONS = 100
PART = 10


def norm(x):
    """Of each matrix, to be divided by."""
    return x.norm(dim=(-2, -1), keepdim=True)


def msign(g, steps=10, dtype=torch.bfloat16):
    """U V^T for each g = U S V^T, in `dtype`."""
    tall = g.shape[-2] > g.shape[-1]
    x = (g.mT if tall else g).to(dtype)
    x = x / (norm(x) * SAFETY)
    for k in range(steps):
        a, b, c = QUINTICS[min(k, len(QUINTICS) - 1)]
        if k < len(QUINTICS) - 1:
            a, b, c = a / SAFETY, b / SAFETY**3, c / SAFETY**5
        gram = x @ x.mT
        poly = c * gram
        poly.diagonal(dim1=-2, dim2=-1).add_(b)
        poly = poly @ gram
        poly.diagonal(dim1=-2, dim2=-1).add_(a)
        x = poly @ x
    return (x.mT if tall else x).float()


def upright(step):
    """A wide matrix is stepped as its transpose."""

    def either(w, g, **settings):
        if w.shape[-2] < w.shape[-1]:
            return step(w.mT, g.mT, **settings).mT
        return step(w, g, **settings)

    return either


@upright
def dual_ascent(w, g, eta=0.1, alpha=0.01, iterations=ITERATIONS, tolerance=1e-6, run=None):
    """One step; with `run` only so many of the iterations (their time is linear)."""
    product = w.mT @ g
    multiplier = -0.25 * (product + product.mT)
    for k in range(run or iterations):
        a = msign(g + 2 * w @ multiplier)
        h = w.mT @ a
        h = h + h.mT
        if norm(h).max() / h.shape[-1] < tolerance:
            break
        multiplier = multiplier - alpha * (1 - k / iterations) * h
    return msign(w - eta * a)


@upright
def admm(w, g, eta=0.1, rho=4.0, iterations=10):
    """One step."""
    eye = torch.eye(w.shape[-1], device=w.device)
    product = w.mT @ g
    multiplier = -0.25 * (product + product.mT)
    x = g + 2 * w @ multiplier
    omega = torch.zeros_like(x)
    for _ in range(iterations):
        product = w.mT @ (omega / rho + x - g)
        multiplier = 0.25 * (product + product.mT)
        target = 2 * w @ multiplier + g
        m = target - omega / rho
        x = 0.5 * (m - msign(m) / rho) @ (eye + msign(m.mT @ m - eye / rho**2))
        omega = omega + rho * (x - target)
    return msign(w - eta * msign(g + 2 * w @ multiplier))


class Clock:
    """Times calls on a device: by events on CUDA, by the clock elsewhere."""

    def __init__(self, device, repeats):
        self.device = device
        self.repeats = repeats

    def once(self, call):
        if self.device != "cuda":
            start = time.perf_counter()
            call()
            return time.perf_counter() - start
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) * 1e-3

    def seconds(self, call, warm_up=1):
        """The median, after warming up."""
        for _ in range(warm_up):
            self.once(call)
        return statistics.median(self.once(call) for _ in range(self.repeats))


def parse(case):
    """The shapes of a case."""
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*){1,2}(\+[1-9]\d*(x[1-9]\d*){1,2})*", case):
        raise ValueError(f"{case} (expected: MxN or BxMxN, or several of them joined by +)")
    return [tuple(map(int, shape.split("x"))) for shape in case.split("+")]


def weights(shape, device):
    """Orthonormal columns, or rows of a wide matrix, and a gaussian gradient."""
    tall = (*shape[:-2], max(shape[-2:]), min(shape[-2:]))
    w = torch.linalg.qr(torch.randn(tall, device=device))[0]
    return (w if tall == shape else w.mT).contiguous(), torch.randn(shape, device=device)


def measure(case, clock, compiled):
    torch.manual_seed(1)
    layers = [weights(shape, clock.device) for shape in parse(case)]

    def each(step, **settings):
        return lambda: [step(w, g, **settings) for w, g in layers]

    def signs(msign):
        return lambda: [msign(g, steps=5) for _, g in layers]

    result = {
        "case": case,
        "shapes": parse(case),
        "dual_ascent_seconds": clock.seconds(each(dual_ascent, run=PART)) * ITERATIONS / PART,
        "dual_ascent_one_iteration_seconds": clock.seconds(each(dual_ascent, run=1)),
        "admm_seconds": clock.seconds(each(admm)),
        "msign_5_seconds": clock.seconds(signs(msign), warm_up=3),
    }
    if compiled:
        # For this case's shapes alone, by the first calls.
        torch.compiler.reset()
        fast = torch.compile(msign, dynamic=False)
        result["msign_5_compiled_seconds"] = clock.seconds(signs(fast), warm_up=5)
    return result


def machine(device):
    return torch.cuda.get_device_name() if device == "cuda" else platform.machine()


COLUMNS = {
    "dual_ascent_seconds": "dual ascent",
    "dual_ascent_one_iteration_seconds": "1 iteration",
    "admm_seconds": "ADMM",
    "msign_5_seconds": "5-step msign",
    "msign_5_compiled_seconds": "compiled",
}


def show(results):
    columns = [key for key in COLUMNS if key in results[0]]
    width = max(len(r["case"]) for r in results)
    print(" " * width + "".join(f"{COLUMNS[key]:>14}" for key in columns))
    for r in results:
        print(f"{r['case']:>{width}}" + "".join(f"{r[key]:>14.6f}" for key in columns))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=SHAPES, default="cpu")
    parser.add_argument("--shapes", help="cases, separated by commas")
    parser.add_argument("--compile", action="store_true", help="also msign by torch.compile")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    device = arguments.device
    if device == "cuda" and not torch.cuda.is_available():
        parser.error("--device: cuda (expected: one that PyTorch finds)")
    cases = (arguments.shapes or SHAPES[device]).split(",")
    try:
        for case in cases:
            parse(case)
    except ValueError as e:
        parser.error(f"--shapes: {e}")
    torch.set_num_threads(arguments.threads)
    clock = Clock(device, arguments.repeats)
    results = [measure(case, clock, arguments.compile) for case in cases]
    about = {"torch": torch.__version__, "device": device, "machine": machine(device)}
    if arguments.json:
        print(json.dumps({**about, "results": results}, indent=1))
        return
    print(f"torch {torch.__version__} on {device} ({machine(device)}), bfloat16 msign, seconds")
    show(results)


if __name__ == "__main__":
    main()
