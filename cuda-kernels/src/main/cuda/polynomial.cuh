#pragma once

/** f^{−1/4} (a I + b f^{−1/2} s + c f^{−1} s2), or 0 where f is 0, element by element. */
struct ScaledPolynomial {
  float diagonal, forS, forS2;

  __device__ ScaledPolynomial(double a, double b, double c, double f) {
    double inverse = f == 0 ? 0 : 1 / f;
    double root = sqrt(sqrt(inverse));
    diagonal = (float)(a * root);
    forS = (float)(b * root * root * root);
    forS2 = (float)(c * root * inverse);
  }

  __device__ float at(float s, float s2, bool onDiagonal) const {
    float sum = forS * s + forS2 * s2;
    return onDiagonal ? sum + diagonal : sum;
  }
};
