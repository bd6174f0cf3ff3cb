package io.muond.modular;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.v1.Bias;
import io.muond.v1.Bond;
import io.muond.v1.Gain;
import io.muond.v1.Linear;
import io.muond.v1.Manifold;
import io.muond.v1.Mass;
import io.muond.v1.Module;
import io.muond.v1.Parameter;
import io.muond.v1.Plan;
import io.muond.v1.Repeat;
import io.muond.v1.Scale;
import io.muond.v1.Sequence;
import io.muond.v1.Sum;
import io.muond.v1.Tuple;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** Networks evaluated: outputs move by no more than the plan promises. */
final class LipschitzPropertyTest {
  private static final int WIDTH = 4;

  @Property(tries = 300)
  void outputsMoveNoMoreThanPromised(@ForAll long seed) {
    Random random = new Random(seed);
    Module module = new Trees(random).tree(3);
    Plan plan = Planner.plan(module);
    assertThat(plan.hasLipschitzBound()).isTrue();
    Samples samples = new Samples(random);
    Map<String, double[]> weights = new HashMap<>();
    for (Parameter parameter : Planner.parameters(module)) {
      weights.put(parameter.getName(), samples.weight(parameter));
    }
    for (int i = 0; i < 10; i++) {
      double[] x = samples.vector(WIDTH);
      double[] dx = samples.vector(WIDTH);
      double[] moved = add(x, scaled(Math.pow(10, -2 * random.nextDouble()), dx));
      List<double[]> y = new Network(weights).run(module, List.of(x));
      List<double[]> z = new Network(weights).run(module, List.of(moved));
      double distance = 0;
      for (int k = 0; k < y.size(); k++) {
        distance += Samples.rms(add(y.get(k), scaled(-1, z.get(k))));
      }
      double most = plan.getLipschitzBound() * Samples.rms(add(x, scaled(-1, moved)));
      assertThat(distance)
          .as("%s", ModuleJson.format(module))
          .isLessThanOrEqualTo(most * (1 + 1e-9) + 1e-12);
    }
  }

  private static double[] add(double[] x, double[] y) {
    double[] sum = x.clone();
    for (int i = 0; i < x.length; i++) {
      sum[i] += y[i];
    }
    return sum;
  }

  private static double[] scaled(double a, double[] x) {
    double[] y = x.clone();
    for (int i = 0; i < x.length; i++) {
      y[i] *= a;
    }
    return y;
  }

  /** A tree as a function of lists of vectors, which only tuples make longer than one. */
  private static final class Network {
    private final Map<String, double[]> weights;

    Network(Map<String, double[]> weights) {
      this.weights = weights;
    }

    List<double[]> run(Module module, List<double[]> x) {
      return run(module, x, "");
    }

    private List<double[]> run(Module module, List<double[]> x, String copy) {
      return switch (module.getKindCase()) {
        case LINEAR -> List.of(linear(module.getLinear(), x.get(0), copy));
        case BIAS -> List.of(add(x.get(0), weights.get(module.getBias().getName() + copy)));
        case GAIN -> {
          double[] y = x.get(0).clone();
          for (int i = 0; i < y.length; i++) {
            y[i] *= weights.get(module.getGain().getName() + copy)[i];
          }
          yield List.of(y);
        }
        case BOND -> List.of(bond(module.getBond(), x));
        case SEQUENCE -> {
          List<double[]> y = x;
          for (Module next : module.getSequence().getModulesList()) {
            y = run(next, y, copy);
          }
          yield y;
        }
        case TUPLE -> all(module.getTuple().getModulesList(), x, copy);
        case SUM ->
            List.of(
                all(module.getSum().getModulesList(), x, copy).stream()
                    .reduce(LipschitzPropertyTest::add)
                    .orElseThrow());
        case SCALE -> {
          double a = module.getScale().getFactor();
          yield run(module.getScale().getOf(), x, copy).stream().map(y -> scaled(a, y)).toList();
        }
        case REPEAT -> {
          List<double[]> y = x;
          for (int i = 0; i < module.getRepeat().getCount(); i++) {
            y = run(module.getRepeat().getOf(), y, copy + "." + i);
          }
          yield y;
        }
        case MASS -> run(module.getMass().getOf(), x, copy);
        default -> throw new AssertionError(module.getKindCase());
      };
    }

    private List<double[]> all(List<Module> modules, List<double[]> x, String copy) {
      return modules.stream().flatMap(m -> run(m, x, copy).stream()).toList();
    }

    private double[] linear(Linear linear, double[] x, String copy) {
      double[] w = weights.get(linear.getName() + copy);
      double[] y = new double[(int) linear.getOut()];
      for (int i = 0; i < w.length; i++) {
        y[i / x.length] += w[i] * x[i % x.length];
      }
      return y;
    }

    private static double[] bond(Bond bond, List<double[]> x) {
      double[] y = x.stream().reduce(LipschitzPropertyTest::add).orElseThrow().clone();
      for (int i = 0; i < y.length; i++) {
        switch (bond.getKind()) {
          case "relu" -> y[i] = Math.max(0, y[i]);
          case "multiply" -> y[i] *= bond.getScale();
          default -> {}
        }
      }
      return y;
    }
  }

  /** Random trees that take a vector of WIDTH numbers and give one. */
  private static final class Trees {
    private final Random random;
    private int names;

    Trees(Random random) {
      this.random = random;
    }

    Module tree(int depth) {
      Module.Builder module = Module.newBuilder();
      switch (depth == 0 ? random.nextInt(5) : random.nextInt(11)) {
        case 0 -> module.setBond(Bond.newBuilder().setKind("relu"));
        case 1 -> module.setBond(Bond.newBuilder().setKind("multiply").setScale(factor()));
        case 2 -> module.setBias(bias());
        case 3 -> module.setGain(gain());
        case 4, 5 -> {
          int hidden = 1 + random.nextInt(8);
          module.setSequence(
              Sequence.newBuilder()
                  .addModules(linear(hidden, WIDTH))
                  .addModules(linear(WIDTH, hidden)));
        }
        case 6 -> module.setSum(Sum.newBuilder().addAllModules(trees(depth)));
        case 7 ->
            module.setSequence(
                Sequence.newBuilder()
                    .addModules(
                        Module.newBuilder()
                            .setTuple(Tuple.newBuilder().addAllModules(trees(depth))))
                    .addModules(Module.newBuilder().setBond(Bond.newBuilder().setKind("add"))));
        case 8 -> module.setScale(Scale.newBuilder().setFactor(factor()).setOf(tree(depth - 1)));
        case 9 ->
            module.setRepeat(
                Repeat.newBuilder().setCount(1 + random.nextInt(3)).setOf(tree(depth - 1)));
        default -> module.setSequence(Sequence.newBuilder().addAllModules(trees(depth)));
      }
      Module made = module.build();
      boolean weighed = random.nextInt(4) == 0 && Planner.plan(made).getMass() > 0;
      return weighed
          ? Module.newBuilder().setMass(Mass.newBuilder().setAbsolute(2).setOf(made)).build()
          : made;
    }

    private List<Module> trees(int depth) {
      List<Module> trees = new ArrayList<>();
      for (int i = random.nextInt(3); i >= 0; i--) {
        trees.add(tree(depth - 1));
      }
      return trees;
    }

    private Module linear(int out, int in) {
      Linear.Builder linear = Linear.newBuilder().setName("w" + names++).setOut(out).setIn(in);
      switch (random.nextInt(4)) {
        case 0 -> linear.setHeads(out);
        case 1 ->
            linear
                .getSettingsBuilder()
                .setManifold(
                    List.of(
                            Manifold.MANIFOLD_SPHERE,
                            Manifold.MANIFOLD_OBLIQUE,
                            Manifold.MANIFOLD_SPECTRAL_BALL)
                        .get(random.nextInt(3)))
                .setRadius(Math.abs(factor()));
        case 2 -> linear.getSettingsBuilder().setRadius(Math.abs(factor()));
        default -> {}
      }
      return Module.newBuilder().setLinear(linear).build();
    }

    private Bias.Builder bias() {
      return Bias.newBuilder().setName("b" + names++).setSize(WIDTH);
    }

    private Gain.Builder gain() {
      Gain.Builder gain = Gain.newBuilder().setName("g" + names++).setSize(WIDTH);
      gain.getSettingsBuilder().setManifold(Manifold.MANIFOLD_SPHERE).setRadius(Math.abs(factor()));
      return gain;
    }

    private double factor() {
      return (random.nextBoolean() ? 1 : -1) * (0.25 + 2 * random.nextDouble());
    }
  }
}
