package io.muond.server.optimizer;

/** How much a step measures; each level holds those before it. */
public enum ReportDetail {
  BASIC,
  RESIDUALS,
  OPTIMUM
}
