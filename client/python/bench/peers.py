"""Times the published manifold Muon solvers in PyTorch, to set beside `muond bench step`.

Each solver is written from its published formulas: dual ascent (Bernstein, "Modular Manifolds",
2025; 100 iterations, bfloat16 msign of 10 steps), ADMM (Buchanan, 2025; 10 iterations), and plain
Muon's msign of 5 steps, which is no step on a manifold but the price that users know.

usage: python peers.py [--shapes 512x512,4096x512] [--threads 2] [--repeats 5] [--json]
"""

import argparse
import json
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


def msign(g, steps=10, dtype=torch.bfloat16):
    """U V^T for g = U S V^T, in `dtype`."""
    tall = g.shape[0] > g.shape[1]
    x = (g.mT if tall else g).to(dtype)
    x = x / (x.norm() * SAFETY)
    for k in range(steps):
        a, b, c = QUINTICS[min(k, len(QUINTICS) - 1)]
        if k < len(QUINTICS) - 1:
            a, b, c = a / SAFETY, b / SAFETY**3, c / SAFETY**5
        gram = x @ x.mT
        poly = c * gram
        poly.diagonal().add_(b)
        poly = poly @ gram
        poly.diagonal().add_(a)
        x = poly @ x
    return (x.mT if tall else x).float()


def dual_ascent(w, g, eta=0.1, alpha=0.01, iterations=100, tolerance=1e-6, run=None):
    """One step; with `run` only so many of the iterations (their time is linear)."""
    multiplier = -0.25 * (w.T @ g + g.T @ w)
    for k in range(run or iterations):
        a = msign(g + 2 * w @ multiplier)
        h = w.T @ a + a.T @ w
        if h.norm() / h.shape[0] < tolerance:
            break
        multiplier -= alpha * (1 - k / iterations) * h
    return msign(w - eta * a)


def admm(w, g, eta=0.1, rho=4.0, iterations=10):
    """One step."""
    n = w.shape[1]
    eye = torch.eye(n)
    product = w.T @ g
    multiplier = -0.25 * (product + product.T)
    x = g + 2 * w @ multiplier
    omega = torch.zeros_like(x)
    for _ in range(iterations):
        product = w.T @ (omega / rho + x - g)
        multiplier = 0.25 * (product + product.T)
        target = 2 * w @ multiplier + g
        m = target - omega / rho
        x = 0.5 * (m - msign(m) / rho) @ (eye + msign(m.T @ m - eye / rho**2))
        omega = omega + rho * (x - target)
    return msign(w - eta * msign(g + 2 * w @ multiplier))


def seconds(call, repeats):
    """The median, after one warm-up."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(m, n, repeats):
    torch.manual_seed(1)
    w = torch.linalg.qr(torch.randn(m, n))[0]
    g = torch.randn(m, n)
    part = 10
    return {
        "shape": [m, n],
        "dual_ascent_seconds": seconds(lambda: dual_ascent(w, g, run=part), repeats) * 100 / part,
        "dual_ascent_one_iteration_seconds": seconds(lambda: dual_ascent(w, g, run=1), repeats),
        "admm_seconds": seconds(lambda: admm(w, g), repeats),
        "msign_5_seconds": seconds(lambda: msign(g, steps=5), repeats),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default="512x512,1024x512,2048x512,4096x512")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results = []
    for shape in arguments.shapes.split(","):
        m, n = map(int, shape.split("x"))
        results.append(measure(m, n, arguments.repeats))
    if arguments.json:
        print(json.dumps({"torch": torch.__version__, "results": results}, indent=1))
        return
    print(f"torch {torch.__version__}, {arguments.threads} threads, bfloat16 msign, seconds")
    print(f"{'shape':>12} {'dual ascent':>12} {'1 iteration':>12} {'ADMM':>12} {'5-step msign':>12}")
    for r in results:
        print(
            f"{r['shape'][0]:>6} x {r['shape'][1]:<3} {r['dual_ascent_seconds']:>12.3f}"
            f" {r['dual_ascent_one_iteration_seconds']:>12.4f} {r['admm_seconds']:>12.3f}"
            f" {r['msign_5_seconds']:>12.4f}"
        )


if __name__ == "__main__":
    main()
