package io.muond.modular;

import io.muond.v1.Linear;
import io.muond.v1.Module;
import io.muond.v1.Parameter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * A tree as a function of a sequence of vectors, with random weights. Everything that flows is a
 * list of parts, which tuples make longer than one; a part has a row for each position. Heads lie
 * side by side in a row: of vectors head by head, of scores too, each with one number for each
 * position.
 */
final class AttentionNetwork {
  private final Module module;
  private final int heads;
  private final Map<String, double[]> weights = new HashMap<>();

  AttentionNetwork(Module module, int heads, Random random) {
    this.module = module;
    this.heads = heads;
    Samples samples = new Samples(random);
    for (Parameter parameter : Planner.parameters(module)) {
      weights.put(parameter.getName(), samples.weight(parameter));
    }
  }

  double[][] run(double[][] x) {
    return run(module, List.<double[][]>of(x), "").get(0);
  }

  private List<double[][]> run(Module module, List<double[][]> x, String copy) {
    return switch (module.getKindCase()) {
      case LINEAR -> x.stream().map(part -> linear(module.getLinear(), part, copy)).toList();
      case BIAS ->
          List.<double[][]>of(
              add(x.get(0), rows(weights.get(module.getBias().getName() + copy), x.get(0).length)));
      case BOND ->
          module.getBond().getKind().equals("rope")
              ? x.stream().map(AttentionNetwork::rotated).toList()
              : List.<double[][]>of(bond(module, x));
      case SEQUENCE -> {
        List<double[][]> y = x;
        for (Module next : module.getSequence().getModulesList()) {
          y = run(next, y, copy);
        }
        yield y;
      }
      case TUPLE -> all(module.getTuple().getModulesList(), x, copy);
      case SUM ->
          List.<double[][]>of(
              all(module.getSum().getModulesList(), x, copy).stream()
                  .reduce(AttentionNetwork::add)
                  .orElseThrow());
      case SCALE -> {
        double a = module.getScale().getFactor();
        yield run(module.getScale().getOf(), x, copy).stream().map(y -> times(a, y)).toList();
      }
      case REPEAT -> {
        List<double[][]> y = x;
        for (int i = 0; i < module.getRepeat().getCount(); i++) {
          y = run(module.getRepeat().getOf(), y, copy + "." + i);
        }
        yield y;
      }
      case MASS -> run(module.getMass().getOf(), x, copy);
      case MLP, ATTENTION, GPT_BLOCK -> run(Compounds.expand(module, TreePath.ROOT), x, copy);
      default -> throw new AssertionError(module.getKindCase());
    };
  }

  private List<double[][]> all(List<Module> modules, List<double[][]> x, String copy) {
    List<double[][]> parts = new ArrayList<>();
    modules.forEach(m -> parts.addAll(run(m, x, copy)));
    return parts;
  }

  private double[][] linear(Linear linear, double[][] x, String copy) {
    double[] w = weights.get(linear.getName() + copy);
    double[][] y = new double[x.length][(int) linear.getOut()];
    for (int p = 0; p < x.length; p++) {
      for (int i = 0; i < w.length; i++) {
        y[p][i / x[p].length] += w[i] * x[p][i % x[p].length];
      }
    }
    return y;
  }

  private double[][] bond(Module module, List<double[][]> x) {
    return switch (module.getBond().getKind()) {
      case "attention_qk" -> scores(x.get(0), x.get(1));
      case "attention_apply" -> applied(x.get(0), x.get(1));
      case "causal_mask" -> masked(x.get(0));
      case "softmax" -> softmax(module.getBond().getScale(), x.get(0));
      case "relu", "gelu" -> relu(x.get(0));
      default -> x.get(0);
    };
  }

  /** Every pair of elements turned by an angle that grows with the position. */
  private static double[][] rotated(double[][] x) {
    double[][] y = new double[x.length][x[0].length];
    for (int p = 0; p < x.length; p++) {
      for (int i = 0; i + 1 < x[p].length; i += 2) {
        double cos = Math.cos(p * (i + 1.0));
        double sin = Math.sin(p * (i + 1.0));
        y[p][i] = cos * x[p][i] - sin * x[p][i + 1];
        y[p][i + 1] = sin * x[p][i] + cos * x[p][i + 1];
      }
    }
    return y;
  }

  /** Mean products. */
  private double[][] scores(double[][] q, double[][] k) {
    int positions = q.length;
    int size = q[0].length / heads;
    double[][] scores = new double[positions][heads * positions];
    for (int p = 0; p < positions; p++) {
      for (int i = 0; i < heads * positions; i++) {
        for (int j = i / positions * size; j < (i / positions + 1) * size; j++) {
          scores[p][i] += q[p][j] * k[i % positions][j] / size;
        }
      }
    }
    return scores;
  }

  private static double[][] masked(double[][] scores) {
    double[][] masked = times(1, scores);
    for (int p = 0; p < scores.length; p++) {
      for (int i = 0; i < scores[p].length; i++) {
        if (i % scores.length > p) {
          masked[p][i] = Double.NEGATIVE_INFINITY;
        }
      }
    }
    return masked;
  }

  private double[][] softmax(double scale, double[][] scores) {
    int positions = scores.length;
    double[][] shares = new double[positions][heads * positions];
    for (int p = 0; p < positions; p++) {
      for (int h = 0; h < heads; h++) {
        double sum = 0;
        for (int t = 0; t < positions; t++) {
          sum += Math.exp(scale * scores[p][h * positions + t]);
        }
        for (int t = 0; t < positions; t++) {
          shares[p][h * positions + t] = Math.exp(scale * scores[p][h * positions + t]) / sum;
        }
      }
    }
    return shares;
  }

  private double[][] applied(double[][] v, double[][] shares) {
    int positions = v.length;
    int size = v[0].length / heads;
    double[][] y = new double[positions][v[0].length];
    for (int p = 0; p < positions; p++) {
      for (int j = 0; j < y[p].length; j++) {
        for (int t = 0; t < positions; t++) {
          y[p][j] += shares[p][j / size * positions + t] * v[t][j];
        }
      }
    }
    return y;
  }

  private static double[][] relu(double[][] x) {
    double[][] y = times(1, x);
    for (double[] row : y) {
      for (int i = 0; i < row.length; i++) {
        row[i] = Math.max(0, row[i]);
      }
    }
    return y;
  }

  /** The largest root mean square of a position. */
  static double norm(double[][] x) {
    double most = 0;
    for (double[] row : x) {
      most = Math.max(most, Samples.rms(row));
    }
    return most;
  }

  static double[][] add(double[][] x, double[][] y) {
    double[][] sum = times(1, x);
    for (int p = 0; p < x.length; p++) {
      for (int i = 0; i < x[p].length; i++) {
        sum[p][i] += y[p][i];
      }
    }
    return sum;
  }

  static double[][] times(double a, double[][] x) {
    double[][] y = new double[x.length][];
    for (int p = 0; p < x.length; p++) {
      y[p] = x[p].clone();
      for (int i = 0; i < y[p].length; i++) {
        y[p][i] *= a;
      }
    }
    return y;
  }

  private static double[][] rows(double[] row, int count) {
    double[][] rows = new double[count][];
    Arrays.fill(rows, row);
    return rows;
  }
}
