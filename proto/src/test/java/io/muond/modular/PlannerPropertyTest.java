package io.muond.modular;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.v1.Bond;
import io.muond.v1.Linear;
import io.muond.v1.Mass;
import io.muond.v1.Module;
import io.muond.v1.Plan;
import io.muond.v1.PlannedAtom;
import io.muond.v1.Repeat;
import io.muond.v1.Scale;
import io.muond.v1.Sequence;
import io.muond.v1.Sum;
import io.muond.v1.Tuple;
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
      case LINEAR -> {
        double mass = module.getLinear().getMass();
        yield new Value(mass, 1, List.of(new Atom(mass, t -> t)));
      }
      case BOND -> new Value(0, Math.abs(module.getBond().getScale()), List.of());
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
      switch (depth == 0 ? random.nextInt(2) : random.nextInt(8)) {
        case 0 -> module.setBond(Bond.newBuilder().setKind("multiply").setScale(factor()));
        case 1 -> module.setLinear(linear());
        case 2 -> module.setTuple(Tuple.newBuilder().addAllModules(trees(depth)));
        case 3 -> module.setSum(Sum.newBuilder().addAllModules(trees(depth)));
        case 4 -> module.setScale(Scale.newBuilder().setFactor(factor()).setOf(tree(depth - 1)));
        case 5 ->
            module.setRepeat(
                Repeat.newBuilder().setCount(1 + random.nextInt(3)).setOf(tree(depth - 1)));
        case 6 -> {
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

    private Linear linear() {
      return Linear.newBuilder()
          .setName("w" + names++)
          .setOut(1 + random.nextInt(9))
          .setIn(1 + random.nextInt(9))
          .setMass(random.nextInt(4))
          .build();
    }

    private double factor() {
      return (random.nextBoolean() ? 1 : -1) * (0.25 + 2 * random.nextDouble());
    }
  }
}
