package io.muond.modular;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import io.muond.v1.Module;
import io.muond.v1.Parameter;
import io.muond.v1.Plan;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What atoms do at most, against the largest singular values of random weights. */
final class NormBoundsTest {
  private static final double MARGIN = 1 + 1e-9;
  private static final int WEIGHTS = 20;

  /** Each with its bound; of those in the last column some inputs reach it. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {'linear':{'name':'w','out':7,'in':4}}                                 | 1 | reached
          {'linear':{'name':'w','out':4,'in':7,'radius':3}}                      | 3.968626966596886 | reached
          {'linear':{'name':'w','out':8,'in':3,'norm':'frobenius'}}              | 1 | reached
          {'linear':{'name':'w','out':8,'in':3,'heads':2}}                       | 1 | reached
          {'linear':{'name':'w','out':8,'in':5,'heads':4}}                       | 1 |
          {'linear':{'name':'w','out':8,'in':5,'heads':4,'view':'flattened'}}    |  |
          {'linear':{'name':'w','out':8,'in':5,'heads':4,'view':'kernel-positions'}} |  |
          {'linear':{'name':'w','out':6,'in':5,'manifold':'spectral-ball'}}      | 1 |
          {'linear':{'name':'w','out':6,'in':5,'manifold':'sphere','radius':2}}  | 1.8257418583505538 |
          {'linear':{'name':'w','out':6,'in':1,'manifold':'sphere','radius':2}}  | 0.816496580927726 | reached
          {'linear':{'name':'w','out':6,'in':5,'manifold':'oblique'}}            | 5 |
          {'linear':{'name':'w','out':6,'in':1,'manifold':'oblique'}}            | 1 | reached
          {'linear':{'name':'w','out':6,'in':5,'heads':3,'manifold':'oblique'}}  | 5 |
          {'linear':{'name':'w','out':6,'in':5,'manifold':'oblique','norm':'largest-column'}} | 5 |
          {'linear':{'name':'w','out':6,'in':5,'heads':3,'manifold':'oblique','norm':'largest-column'}} |  |
          {'linear':{'name':'w','out':6,'in':5,'manifold':'centered-oblique'}}   | 5 |
          {'linear':{'name':'w','out':6,'in':3,'ranges':[{'name':'a','rows':4,'heads':2},{'name':'b','rows':2,'radius':2,'manifold':'sphere'}]}} |  |
          {'linear':{'name':'w','out':9,'in':3,'ranges':[{'name':'a','rows':3},{'name':'b','rows':6}]}} | 1 | reached
          {'convolution':{'name':'w','out':3,'in':2,'kernel':[3]}}               | 1 |
          {'convolution':{'name':'w','out':3,'in':2,'kernel':[1,1]}}             | 1 | reached
          {'convolution':{'name':'w','out':1,'in':1,'kernel':[2,3],'radius':1}}  | 6 |
          {'convolution':{'name':'w','out':3,'in':2,'kernel':[3,2]}}             | 1 |
          {'convolution':{'name':'w','out':3,'in':2,'kernel':[3,2],'radius':2}}  | 9.797958971132713 |
          {'convolution':{'name':'w','out':3,'in':2,'kernel':[3,2],'view':'flattened'}} | 1 |
          {'convolution':{'name':'w','out':7,'in':2,'kernel':[2],'view':'flattened'}} | 1 |
          {'convolution':{'name':'w','out':3,'in':2,'kernel':[3,2],'view':'last-two'}} |  |
          {'convolution':{'name':'w','out':3,'in':2,'kernel':[2,2],'manifold':'spectral-ball'}} | 1 |
          {'convolution':{'name':'w','out':3,'in':2,'kernel':[2,2],'manifold':'sphere'}} |  |
          {'convolution':{'name':'w','out':3,'in':2,'kernel':[2,2],'manifold':'oblique'}} |  |
          {'convolution':{'name':'w','out':3,'in':2,'kernel':[2,2],'manifold':'oblique','norm':'largest-column'}} |  |
          """)
  void linearMapsKeepTheirBound(String json, Double expected, String reached) {
    Module module = module(json);
    double bound = Planner.plan(module).getAtoms(0).getNormBound();
    if (expected != null) {
      assertThat(bound).isCloseTo(expected, withinPercentage(1e-13));
    }
    double largest = 0;
    for (int seed = 0; seed < WEIGHTS; seed++) {
      double[][] map = map(module, new Samples(new Random(seed)));
      double gain = new Samples(new Random(seed)).spectralNorm(map);
      largest = Math.max(largest, gain * Math.sqrt((double) map[0].length / map.length));
    }
    assertThat(largest).isLessThanOrEqualTo(bound * MARGIN);
    if (reached != null) {
      assertThat(largest).isGreaterThan(bound * 0.99);
    }
  }

  /** A random weight as a matrix between all inputs and all outputs. */
  private static double[][] map(Module module, Samples samples) {
    Parameter parameter = Planner.parameters(module).get(0);
    double[] w = samples.weight(parameter);
    if (module.hasLinear()) {
      return rows(w, (int) module.getLinear().getIn());
    }
    List<Integer> kernel =
        module.getConvolution().getKernelList().stream().map(Long::intValue).toList();
    return circulant(
        w, (int) module.getConvolution().getOut(), (int) module.getConvolution().getIn(), kernel);
  }

  private static double[][] rows(double[] w, int in) {
    double[][] map = new double[w.length / in][];
    for (int i = 0; i < map.length; i++) {
      map[i] = Arrays.copyOfRange(w, i * in, (i + 1) * in);
    }
    return map;
  }

  /** A convolution over a torus, whose lengths are no less than the kernel's. */
  private static double[][] circulant(double[] w, int out, int in, List<Integer> kernel) {
    int height = kernel.get(0) + 1;
    int width = kernel.size() > 1 ? kernel.get(1) + 1 : 1;
    int kernelWidth = kernel.size() > 1 ? kernel.get(1) : 1;
    int positions = height * width;
    double[][] map = new double[out * positions][in * positions];
    int at = 0;
    for (int o = 0; o < out; o++) {
      for (int c = 0; c < in; c++) {
        for (int k = 0; k < kernel.get(0) * kernelWidth; k++, at++) {
          for (int p = 0; p < positions; p++) {
            int y = (p / width + k / kernelWidth) % height;
            int x = (p % width + k % kernelWidth) % width;
            map[o * positions + p][c * positions + y * width + x] += w[at];
          }
        }
      }
    }
    return map;
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {'embed':{'name':'w','rows':5,'columns':4}}                            | 1
          {'embed':{'name':'w','rows':5,'columns':4,'radius':3}}                 | 1.5
          {'embed':{'name':'w','rows':5,'columns':4,'manifold':'centered-oblique'}} | 1
          {'embed':{'name':'w','rows':4,'columns':9,'manifold':'stiefel'}}       | 0.2222222222222222
          {'embed':{'name':'w','rows':5,'columns':4,'manifold':'spectral-ball','radius':2}} | 1
          {'embed':{'name':'w','rows':5,'columns':4,'manifold':'sphere'}}        | 0.5
          {'embed':{'name':'w','rows':1,'columns':4,'norm':'largest-column'}}    | 1
          {'embed':{'name':'w','rows':9,'columns':4,'norm':'largest-column'}}    | 3
          """)
  void vectorsOfEmbeddingsKeepTheirBound(String json, double bound) {
    Module module = module(json);
    assertThat(Planner.plan(module).getAtoms(0).getNormBound()).isEqualTo(bound);
    Parameter parameter = Planner.parameters(module).get(0);
    for (int seed = 0; seed < WEIGHTS; seed++) {
      double[] w = new Samples(new Random(seed)).weight(parameter);
      for (double[] row : rows(w, (int) parameter.getShape(1))) {
        assertThat(Samples.rms(row)).isLessThanOrEqualTo(bound * MARGIN);
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {'gain':{'name':'w','size':3,'manifold':'sphere'}}                     | 1
          {'gain':{'name':'w','size':1,'manifold':'sphere','radius':2}}          | 2
          {'gain':{'name':'w','size':9,'manifold':'oblique'}}                    | 3
          {'gain':{'name':'w','size':4,'manifold':'centered-oblique'}}           | 2
          """)
  void gainsKeepTheirBound(String json, double bound) {
    Module module = module(json);
    assertThat(Planner.plan(module).getAtoms(0).getNormBound()).isEqualTo(bound);
    for (int seed = 0; seed < WEIGHTS; seed++) {
      double[] g = new Samples(new Random(seed)).weight(Planner.parameters(module).get(0));
      assertThat(Arrays.stream(g).map(Math::abs).max().getAsDouble())
          .isLessThanOrEqualTo(bound * MARGIN);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'linear':{'name':'w','out':2,'in':2,'manifold':'euclidean'}}",
        "{'linear':{'name':'w','out':2,'in':2,'manifold':'euclidean','rule':{'frozen':true}}}",
        "{'linear':{'name':'w','out':2,'in':2,'ranges':[{'name':'a','rows':1},"
            + "{'name':'b','rows':1,'manifold':'euclidean'}]}}",
        "{'embed':{'name':'w','rows':2,'columns':2,'manifold':'euclidean'}}",
        "{'convolution':{'name':'w','out':2,'in':2,'kernel':[2],'manifold':'euclidean'}}",
        "{'gain':{'name':'w','size':2}}"
      })
  void freeWeightsHaveNoBound(String atom) {
    Module module = module("{'sequence':[{'bias':{'name':'b','size':2}},{'sum':[" + atom + "]}]}");
    Plan plan = Planner.plan(module);
    assertThat(plan.getAtoms(0).getNormBound()).isEqualTo(1);
    assertThat(plan.getAtoms(1).hasNormBound()).isFalse();
    assertThat(plan.hasLipschitzBound()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e20, 1e-20})
  void aBoundBeyondDoubleIsNone(double radius) {
    Module module =
        module(
            "{'repeat':{'count':20,'of':{'linear':{'name':'w','out':2,'in':2,'radius':%s}}}}"
                .formatted(radius));
    Plan plan = Planner.plan(module);
    assertThat(plan.getAtoms(0).getNormBound()).isEqualTo(radius);
    assertThat(plan.getSensitivity()).isEqualTo(1);
    assertThat(plan.hasLipschitzBound()).isFalse();
  }

  private static Module module(String json) {
    return ModuleJson.parse(json.replace('\'', '"'));
  }
}
