package io.muond.server.optimizer;

/**
 * What a step did to one matrix. Residuals and optimum are NaN where they were not asked for.
 *
 * @param objective ⟨G, A⟩ for unit radius, of the gradient (or momentum) that the step took
 * @param optimum the largest ⟨G, A⟩ of any feasible A
 * @param feasibleObjective ⟨G, P(A)⟩ / max(1, ‖P(A)‖)
 * @param tangencyRms ‖WᵀA + AᵀW‖_F / n, for unit radius
 * @param orthogonalityMax max |WᵀW − I| of the new weight, for unit radius
 * @param updateNorm ‖W_new − W‖_F
 * @param iterations of the solver's outer loop
 * @param flops floating-point operations of the matrix products
 */
public record MatrixReport(
    double objective,
    double optimum,
    double feasibleObjective,
    double tangencyRms,
    double orthogonalityMax,
    double updateNorm,
    int iterations,
    double flops) {}
