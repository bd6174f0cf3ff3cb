package io.muond.modular;

import io.muond.v1.Embed;
import io.muond.v1.Linear;
import io.muond.v1.Module;
import java.util.ArrayList;
import java.util.List;

/** Goes up a tree: checks every module and finds masses and sensitivities. */
final class Measurer {
  private Measurer() {}

  static Measured measure(Module module) {
    return measure(module, TreePath.ROOT, 1);
  }

  private static Measured measure(Module module, TreePath path, int depth) {
    if (depth > Planner.MAX_DEPTH) {
      throw new ModuleException(
          path, "too deep (expected: at most " + Planner.MAX_DEPTH + " levels)");
    }
    return switch (module.getKindCase()) {
      case LINEAR -> linear(module, path);
      case EMBED -> embed(module, path);
      case BOND ->
          measured(module, path, 0, Bonds.sensitivity(module.getBond(), path), 0, List.of());
      case SEQUENCE -> {
        List<Module> modules = module.getSequence().getModulesList();
        List<Measured> children = children(modules, path, "sequence", depth);
        double sensitivity =
            children.stream().mapToDouble(Measured::sensitivity).reduce(1, (a, b) -> a * b);
        yield measured(module, path, mass(children), sensitivity, atoms(children), children);
      }
      case TUPLE ->
          sideBySide(
              module, path, children(module.getTuple().getModulesList(), path, "tuple", depth));
      case SUM ->
          sideBySide(module, path, children(module.getSum().getModulesList(), path, "sum", depth));
      case SCALE -> scale(module, path, depth);
      case REPEAT -> repeat(module, path, depth);
      case MASS -> mass(module, path, depth);
      case CONVOLUTION, BIAS, GAIN, MLP, CONVOLUTION_STACK, ATTENTION, GPT_BLOCK, GPT ->
          throw new ModuleException(path, "not known yet");
      case KIND_NOT_SET ->
          throw new ModuleException(path, "not set (expected one of " + ModuleJson.KINDS + ")");
    };
  }

  private static Measured linear(Module module, TreePath path) {
    Linear linear = module.getLinear();
    TreePath here = path.child("linear");
    Checks.name(here.child("name"), linear.getName());
    Checks.atLeastOne(here.child("out"), linear.getOut());
    Checks.atLeastOne(here.child("in"), linear.getIn());
    Checks.matrix(here, linear.getOut(), linear.getIn());
    return atom(module, path, here, linear.hasMass() ? linear.getMass() : 1);
  }

  private static Measured embed(Module module, TreePath path) {
    Embed embed = module.getEmbed();
    TreePath here = path.child("embed");
    Checks.name(here.child("name"), embed.getName());
    Checks.atLeastOne(here.child("rows"), embed.getRows());
    Checks.atLeastOne(here.child("columns"), embed.getColumns());
    Checks.matrix(here, embed.getRows(), embed.getColumns());
    return atom(module, path, here, embed.hasMass() ? embed.getMass() : 1);
  }

  private static Measured atom(Module module, TreePath path, TreePath here, double mass) {
    Checks.notNegative(here.child("mass"), mass);
    return measured(module, path, mass, 1, 1, List.of());
  }

  private static Measured sideBySide(Module module, TreePath path, List<Measured> children) {
    double sensitivity = children.stream().mapToDouble(Measured::sensitivity).sum();
    return measured(module, path, mass(children), sensitivity, atoms(children), children);
  }

  private static Measured scale(Module module, TreePath path, int depth) {
    TreePath here = path.child("scale");
    double factor = Checks.notZero(here.child("factor"), module.getScale().getFactor());
    Measured of = measure(module.getScale().getOf(), here.child("of"), depth + 1);
    double sensitivity = Math.abs(factor) * of.sensitivity();
    return measured(module, path, of.mass(), sensitivity, of.atoms(), List.of(of));
  }

  private static Measured repeat(Module module, TreePath path, int depth) {
    TreePath here = path.child("repeat");
    long count = Checks.atLeastOne(here.child("count"), module.getRepeat().getCount());
    Measured of = measure(module.getRepeat().getOf(), here.child("of"), depth + 1);
    if (of.atoms() > Planner.MAX_ATOMS / count) {
      throw tooMany(
          path, of.atoms() == 1 ? count + " atoms" : count + " times " + of.atoms() + " atoms");
    }
    double sensitivity = Math.pow(of.sensitivity(), (double) count);
    return measured(module, path, count * of.mass(), sensitivity, count * of.atoms(), List.of(of));
  }

  private static Measured mass(Module module, TreePath path, int depth) {
    TreePath here = path.child("mass");
    double absolute = Checks.notNegative(here.child("absolute"), module.getMass().getAbsolute());
    Measured of = measure(module.getMass().getOf(), here.child("of"), depth + 1);
    if (of.mass() == 0) {
      throw new ModuleException(here.child("of"), "mass 0 (expected: a module of mass > 0)");
    }
    return measured(module, path, absolute, of.sensitivity(), of.atoms(), List.of(of));
  }

  private static List<Measured> children(
      List<Module> modules, TreePath path, String kind, int depth) {
    if (modules.isEmpty()) {
      throw new ModuleException(path.child(kind), "empty (expected: at least one module)");
    }
    List<Measured> children = new ArrayList<>(modules.size());
    for (int i = 0; i < modules.size(); i++) {
      children.add(measure(modules.get(i), path.child(kind, i), depth + 1));
    }
    return children;
  }

  private static double mass(List<Measured> children) {
    return children.stream().mapToDouble(Measured::mass).sum();
  }

  private static long atoms(List<Measured> children) {
    return children.stream().mapToLong(Measured::atoms).sum();
  }

  /** Checks what only sums and products can break: the range of double, the number of atoms. */
  private static Measured measured(
      Module module,
      TreePath path,
      double mass,
      double sensitivity,
      long atoms,
      List<Measured> children) {
    if (!Double.isFinite(mass)) {
      throw new ModuleException(path, "mass " + mass + " (expected: a finite number)");
    }
    if (!(sensitivity > 0) || Double.isInfinite(sensitivity)) {
      throw new ModuleException(
          path, "sensitivity " + sensitivity + " (expected: a finite number > 0)");
    }
    if (atoms > Planner.MAX_ATOMS) {
      throw tooMany(path, atoms + " atoms");
    }
    return new Measured(module, path, mass, sensitivity, atoms, children);
  }

  private static ModuleException tooMany(TreePath path, String atoms) {
    return new ModuleException(path, atoms + " (expected: at most " + Planner.MAX_ATOMS + ")");
  }
}
