package io.muond.modular;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.v1.AtomSettings;
import io.muond.v1.Bias;
import io.muond.v1.Bond;
import io.muond.v1.Convolution;
import io.muond.v1.Embed;
import io.muond.v1.Gain;
import io.muond.v1.Initial;
import io.muond.v1.Linear;
import io.muond.v1.Manifold;
import io.muond.v1.Mass;
import io.muond.v1.Mlp;
import io.muond.v1.Module;
import io.muond.v1.Norm;
import io.muond.v1.Plan;
import io.muond.v1.PlannedAtom;
import io.muond.v1.Repeat;
import io.muond.v1.RowRange;
import io.muond.v1.Scale;
import io.muond.v1.Sequence;
import io.muond.v1.Solver;
import io.muond.v1.Sum;
import io.muond.v1.Tuple;
import io.muond.v1.View;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/**
 * Random trees against the table of composition rules taken literally: repeats written out,
 * sequences composed two at a time, masses rescaled inside.
 */
final class PlannerPropertyTest {
  /** The bonds whose sensitivity is 1. */
  private static final List<String> PLAIN_BONDS =
      List.of(
          "relu",
          "gelu",
          "identity",
          "add",
          "attention_qk",
          "attention_apply",
          "causal_mask",
          "split_heads",
          "merge_heads",
          "rope");

  /** An evaluated module: atoms carry functions from the module's target to their own. */
  record Value(double mass, double sensitivity, List<Atom> atoms) {}

  record Atom(double mass, DoubleUnaryOperator target) {
    Atom under(DoubleUnaryOperator outer) {
      return new Atom(mass, t -> target.applyAsDouble(outer.applyAsDouble(t)));
    }
  }

  @Property(tries = 500)
  void agreesWithTheRulesTakenLiterally(@ForAll long seed) {
    Module module = new Trees(new Random(seed)).tree(4);
    Value expected = evaluate(module);
    Plan plan = Planner.plan(module);
    assertClose(plan.getMass(), expected.mass());
    assertClose(plan.getSensitivity(), expected.sensitivity());
    assertThat(plan.getAtomsList()).hasSameSizeAs(expected.atoms());
    for (int i = 0; i < expected.atoms().size(); i++) {
      PlannedAtom atom = plan.getAtoms(i);
      double target = expected.mass() == 0 ? 0 : expected.atoms().get(i).target().applyAsDouble(1);
      assertClose(atom.getMass(), expected.atoms().get(i).mass());
      assertClose(atom.getLearningRateMultiplier(), target);
    }
    assertThat(ModuleJson.parse(ModuleJson.format(module))).isEqualTo(module);
  }

  private static void assertClose(double actual, double expected) {
    assertThat(Math.abs(actual - expected)).isLessThanOrEqualTo(1e-12 * Math.abs(expected));
  }

  private static Value evaluate(Module module) {
    return switch (module.getKindCase()) {
      case LINEAR -> atom(module.getLinear().getMass());
      case EMBED -> atom(module.getEmbed().getMass());
      case CONVOLUTION -> atom(module.getConvolution().getMass());
      case BIAS -> atom(module.getBias().getMass());
      case GAIN -> atom(module.getGain().getMass());
      case MLP -> compose(Collections.nCopies(module.getMlp().getWidthsCount() - 1, atom(1)));
      case BOND -> new Value(0, sensitivity(module.getBond()), List.of());
      case SEQUENCE -> compose(values(module.getSequence().getModulesList()));
      case REPEAT ->
          compose(
              Collections.nCopies(
                  (int) module.getRepeat().getCount(), evaluate(module.getRepeat().getOf())));
      case TUPLE -> tuple(values(module.getTuple().getModulesList()));
      case SUM -> tuple(values(module.getSum().getModulesList()));
      case SCALE -> {
        double a = Math.abs(module.getScale().getFactor());
        Value of = evaluate(module.getScale().getOf());
        yield new Value(of.mass(), a * of.sensitivity(), under(of, t -> t / a).toList());
      }
      case MASS -> {
        Value of = evaluate(module.getMass().getOf());
        double factor = module.getMass().getAbsolute() / of.mass();
        yield new Value(
            of.mass() * factor,
            of.sensitivity(),
            of.atoms().stream().map(a -> new Atom(a.mass() * factor, a.target())).toList());
      }
      default -> throw new AssertionError(module.getKindCase());
    };
  }

  private static double sensitivity(Bond bond) {
    double scale = bond.hasScale() ? bond.getScale() : 1;
    return switch (bond.getKind()) {
      case "softmax" -> scale;
      case "multiply" -> Math.abs(scale);
      default -> 1;
    };
  }

  private static Value atom(double mass) {
    return new Value(mass, 1, List.of(new Atom(mass, t -> t)));
  }

  private static List<Value> values(List<Module> modules) {
    return modules.stream().map(PlannerPropertyTest::evaluate).toList();
  }

  private static Value compose(List<Value> values) {
    Value first = values.get(0);
    for (Value second : values.subList(1, values.size())) {
      Value before = first;
      double mass = before.mass() + second.mass();
      first =
          new Value(
              mass,
              before.sensitivity() * second.sensitivity(),
              Stream.concat(
                      under(before, t -> part(t, before.mass(), mass) / second.sensitivity()),
                      under(second, t -> part(t, second.mass(), mass)))
                  .toList());
    }
    return first;
  }

  private static Value tuple(List<Value> values) {
    double mass = values.stream().mapToDouble(Value::mass).sum();
    double sensitivity = values.stream().mapToDouble(Value::sensitivity).sum();
    return new Value(
        mass,
        sensitivity,
        values.stream().flatMap(v -> under(v, t -> part(t, v.mass(), mass))).toList());
  }

  private static Stream<Atom> under(Value value, DoubleUnaryOperator outer) {
    return value.atoms().stream().map(atom -> atom.under(outer));
  }

  private static double part(double t, double mass, double total) {
    return total == 0 ? 0 : t * mass / total;
  }

  /** Valid random trees. */
  private static final class Trees {
    private final Random random;
    private int names;

    Trees(Random random) {
      this.random = random;
    }

    Module tree(int depth) {
      Module.Builder module = Module.newBuilder();
      switch (depth == 0 ? random.nextInt(7) : random.nextInt(13)) {
        case 0 -> module.setBond(bond());
        case 1 -> module.setLinear(linear());
        case 2 -> module.setEmbed(embed());
        case 3 -> module.setConvolution(convolution());
        case 4 -> module.setBias(Bias.newBuilder().setName(name()).setSize(size()).setMass(mass()));
        case 5 -> module.setGain(Gain.newBuilder().setName(name()).setSize(size()).setMass(mass()));
        case 6 ->
            module.setMlp(
                Mlp.newBuilder().setName(name()).addWidths(size()).addWidths(size()).addWidths(2));
        case 7 -> module.setTuple(Tuple.newBuilder().addAllModules(trees(depth)));
        case 8 -> module.setSum(Sum.newBuilder().addAllModules(trees(depth)));
        case 9 -> module.setScale(Scale.newBuilder().setFactor(factor()).setOf(tree(depth - 1)));
        case 10 ->
            module.setRepeat(
                Repeat.newBuilder().setCount(1 + random.nextInt(3)).setOf(tree(depth - 1)));
        case 11 -> {
          Module of = tree(depth - 1);
          if (evaluate(of).mass() == 0) {
            return of;
          }
          module.setMass(Mass.newBuilder().setAbsolute(random.nextInt(10)).setOf(of));
        }
        default -> module.setSequence(Sequence.newBuilder().addAllModules(trees(depth)));
      }
      return module.build();
    }

    private List<Module> trees(int depth) {
      List<Module> trees = new ArrayList<>();
      for (int i = random.nextInt(4); i >= 0; i--) {
        trees.add(tree(depth - 1));
      }
      return trees;
    }

    private Bond bond() {
      Bond.Builder bond = Bond.newBuilder();
      switch (random.nextInt(6)) {
        case 0 -> bond.setKind("softmax");
        case 1 -> bond.setKind("softmax").setScale(Math.abs(factor()));
        case 2 -> bond.setKind("multiply");
        case 3 -> bond.setKind("multiply").setScale(factor());
        default -> bond.setKind(PLAIN_BONDS.get(random.nextInt(PLAIN_BONDS.size())));
      }
      return bond.build();
    }

    private Linear linear() {
      Linear.Builder linear =
          Linear.newBuilder().setName(name()).setOut(6L * size()).setIn(size()).setMass(mass());
      switch (random.nextInt(4)) {
        case 0 -> linear.setHeads(1 + random.nextInt(3));
        case 1 -> linear.setSettings(settings());
        case 2 -> {
          int rows = 1 + random.nextInt((int) linear.getOut() - 1);
          linear.addRanges(RowRange.newBuilder().setName("a").setRows(rows).setGroup("g"));
          linear.addRanges(RowRange.newBuilder().setName("b").setRows(linear.getOut() - rows));
        }
        default -> {}
      }
      return linear.build();
    }

    private AtomSettings settings() {
      AtomSettings.Builder settings = AtomSettings.newBuilder().setGroup("some");
      if (random.nextBoolean()) {
        settings.setManifold(Manifold.MANIFOLD_EUCLIDEAN).setNorm(Norm.NORM_ADAMW);
        settings.setInitial(Initial.INITIAL_ONE);
        settings.getRuleBuilder().setFrozen(random.nextBoolean()).getAdamwBuilder().setBeta1(0);
      } else {
        settings.setView(View.VIEW_FLATTENED).setRadius(1 + random.nextDouble());
        settings.getRuleBuilder().setSolver(Solver.SOLVER_ADMM).getAdmmBuilder().setIterations(3);
      }
      return settings.build();
    }

    private Embed embed() {
      Embed.Builder embed =
          Embed.newBuilder().setName(name()).setRows(size()).setColumns(size()).setMass(mass());
      if (random.nextBoolean()) {
        embed.setSettings(settings());
        embed.getSettingsBuilder().clearView().clearRule();
      }
      return embed.build();
    }

    private Convolution convolution() {
      return Convolution.newBuilder()
          .setName(name())
          .setOut(size())
          .setIn(size())
          .addKernel(size())
          .addKernel(size())
          .setMass(mass())
          .setSettings(settings())
          .build();
    }

    private String name() {
      return "w" + names++;
    }

    private int size() {
      return 1 + random.nextInt(9);
    }

    private double mass() {
      return random.nextInt(4);
    }

    private double factor() {
      return (random.nextBoolean() ? 1 : -1) * (0.25 + 2 * random.nextDouble());
    }
  }
}
