package io.muond.modular;

import io.muond.modular.Measured.Totals;
import io.muond.v1.Module;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;

/** Goes up a tree: checks every module and finds masses and sensitivities. */
final class Measurer {
  private long atomsSoFar;
  private int modulesSoFar;

  private Measurer() {}

  static Measured measure(Module module) {
    return new Measurer().measure(module, TreePath.ROOT, 1);
  }

  private Measured measure(Module module, TreePath path, int depth) {
    if (depth > Planner.MAX_DEPTH) {
      throw new ModuleException(
          path, "too deep (expected: at most " + Planner.MAX_DEPTH + " levels)");
    }
    if (++modulesSoFar > Planner.MAX_MODULES) {
      throw new ModuleException(
          TreePath.ROOT,
          "more than %1$d modules (expected: at most %1$d)".formatted(Planner.MAX_MODULES));
    }
    return switch (module.getKindCase()) {
      case LINEAR, EMBED, CONVOLUTION, BIAS, GAIN -> atom(module, path);
      case BOND -> measured(Measured.bond(module, path, Bonds.sensitivity(module.getBond(), path)));
      case SEQUENCE -> sequence(module, path, depth);
      case TUPLE -> sideBySide(module, path, "tuple", module.getTuple().getModulesList(), depth);
      case SUM -> sideBySide(module, path, "sum", module.getSum().getModulesList(), depth);
      case SCALE -> scale(module, path, depth);
      case REPEAT -> repeat(module, path, depth);
      case MASS -> mass(module, path, depth);
      case MLP, CONVOLUTION_STACK, ATTENTION, GPT_BLOCK, GPT -> {
        TreePath here = path.child(ModuleJson.kind(module)).ofCompound();
        yield measure(Compounds.expand(module, here), here, depth);
      }
      case KIND_NOT_SET ->
          throw new ModuleException(path, "not set (expected one of " + ModuleJson.KINDS + ")");
    };
  }

  private Measured atom(Module module, TreePath path) {
    // Counted on the way, so that a tree of too many costs no memory.
    atomsSoFar += Math.max(1, module.getLinear().getRangesCount());
    if (atomsSoFar > Planner.MAX_ATOMS) {
      throw tooMany(TreePath.ROOT, "more than " + Planner.MAX_ATOMS + " atoms");
    }
    return measured(Measured.atom(module, path, Atoms.read(module, path)));
  }

  private Measured sequence(Module module, TreePath path, int depth) {
    List<Measured> children =
        children(module.getSequence().getModulesList(), path, "sequence", depth);
    Totals totals =
        new Totals(
            sum(children, Measured::mass),
            product(children, Measured::sensitivity),
            atoms(children));
    return measured(Measured.inSequence(module, path, totals, children));
  }

  private Measured sideBySide(
      Module module, TreePath path, String kind, List<Module> modules, int depth) {
    List<Measured> children = children(modules, path, kind, depth);
    Totals totals =
        new Totals(
            sum(children, Measured::mass), sum(children, Measured::sensitivity), atoms(children));
    return measured(Measured.of(module, path, totals, children));
  }

  private Measured scale(Module module, TreePath path, int depth) {
    TreePath here = path.child("scale");
    double factor = Math.abs(Checks.notZero(here.field("factor"), module.getScale().getFactor()));
    Measured of = measure(module.getScale().getOf(), here.child("of"), depth + 1);
    Totals totals = new Totals(of.mass(), factor * of.sensitivity(), of.atoms());
    return measured(Measured.of(module, path, totals, List.of(of)));
  }

  private Measured repeat(Module module, TreePath path, int depth) {
    TreePath here = path.child("repeat");
    long count = Checks.atLeastOne(here.field("count"), module.getRepeat().getCount());
    Measured of = measure(module.getRepeat().getOf(), here.child("of"), depth + 1);
    if (of.atoms() > Planner.MAX_ATOMS / count) {
      throw tooMany(
          path, of.atoms() == 1 ? count + " atoms" : count + " times " + of.atoms() + " atoms");
    }
    Totals totals =
        new Totals(
            count * of.mass(), Math.pow(of.sensitivity(), (double) count), count * of.atoms());
    return measured(Measured.of(module, path, totals, List.of(of)));
  }

  private Measured mass(Module module, TreePath path, int depth) {
    TreePath here = path.child("mass");
    double absolute = Checks.notNegative(here.field("absolute"), module.getMass().getAbsolute());
    Measured of = measure(module.getMass().getOf(), here.child("of"), depth + 1);
    if (of.mass() == 0) {
      throw new ModuleException(here.child("of"), "mass 0 (expected: a module of mass > 0)");
    }
    Totals totals = new Totals(absolute, of.sensitivity(), of.atoms());
    return measured(Measured.of(module, path, totals, List.of(of)));
  }

  private List<Measured> children(List<Module> modules, TreePath path, String kind, int depth) {
    if (modules.isEmpty()) {
      throw new ModuleException(path.child(kind), "empty (expected: at least one module)");
    }
    List<Measured> children = new ArrayList<>();
    for (int i = 0; i < modules.size(); i++) {
      children.add(measure(modules.get(i), path.child(kind, i), depth + 1));
    }
    return children;
  }

  private static double product(List<Measured> children, ToDoubleFunction<Measured> value) {
    return children.stream().mapToDouble(value).reduce(1, (a, b) -> a * b);
  }

  private static double sum(List<Measured> children, ToDoubleFunction<Measured> value) {
    return children.stream().mapToDouble(value).sum();
  }

  private static long atoms(List<Measured> children) {
    return children.stream().mapToLong(Measured::atoms).sum();
  }

  /** Checks what only sums and products can break: the range of double, the number of atoms. */
  private static Measured measured(Measured measured) {
    TreePath path = measured.path();
    double sensitivity = measured.sensitivity();
    if (!Double.isFinite(measured.mass())) {
      throw new ModuleException(path, "mass " + measured.mass() + " (expected: a finite number)");
    }
    if (!(sensitivity > 0) || Double.isInfinite(sensitivity)) {
      throw new ModuleException(
          path, "sensitivity " + sensitivity + " (expected: a finite number > 0)");
    }
    if (measured.atoms() > Planner.MAX_ATOMS) {
      throw tooMany(path, measured.atoms() + " atoms");
    }
    return measured;
  }

  private static ModuleException tooMany(TreePath path, String atoms) {
    return new ModuleException(path, atoms + " (expected: at most " + Planner.MAX_ATOMS + ")");
  }
}
