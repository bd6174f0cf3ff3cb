package io.muond.modular;

import io.muond.manifold.FieldException;
import io.muond.manifold.Pair;
import io.muond.manifold.ParameterChecks;
import io.muond.v1.AtomSettings;
import io.muond.v1.Bias;
import io.muond.v1.Convolution;
import io.muond.v1.Embed;
import io.muond.v1.Gain;
import io.muond.v1.Initial;
import io.muond.v1.Linear;
import io.muond.v1.Manifold;
import io.muond.v1.Module;
import io.muond.v1.Parameter;
import io.muond.v1.View;
import java.util.function.ToDoubleFunction;

/** Makes parameters of atoms. */
final class Atoms {
  private Atoms() {}

  /**
   * Checks an atom.
   *
   * @param module one of the atoms
   */
  static Atom read(Module module, TreePath path) {
    return switch (module.getKindCase()) {
      case LINEAR -> linear(module.getLinear(), path.child("linear"));
      case EMBED -> embed(module.getEmbed(), path.child("embed"));
      case CONVOLUTION -> convolution(module.getConvolution(), path.child("convolution"));
      case BIAS -> bias(module.getBias(), path.child("bias"));
      case GAIN -> gain(module.getGain(), path.child("gain"));
      default -> throw new IllegalArgumentException(module.getKindCase() + " is no atom");
    };
  }

  private static Atom linear(Linear linear, TreePath here) {
    Parameter.Builder parameter = named(linear.getName(), here);
    long out = Checks.dimension(here.field("out"), linear.getOut());
    long in = Checks.dimension(here.field("in"), linear.getIn());
    if (linear.getRangesCount() > 0) {
      ranges(linear, here);
      parameter.addAllRanges(linear.getRangesList());
    } else {
      settings(parameter, linear.getSettings(), Manifold.MANIFOLD_STIEFEL);
    }
    long heads = Checks.heads(here, linear.getHeads(), "out", out);
    if (heads > 1) {
      parameter.addShape(heads);
    }
    parameter.addShape(out / heads).addShape(in);
    double mass = mass(linear.hasMass(), linear.getMass(), here);
    return atom(here, mass, parameter, p -> NormBounds.linear(p, (double) out, (double) in));
  }

  /** What ranges say themselves must not be said beside them. */
  private static void ranges(Linear linear, TreePath here) {
    linear.getSettings().getAllFields().keySet().stream()
        .findFirst()
        .ifPresent(
            field -> {
              throw new ModuleException(
                  here.field(field.getName()),
                  "given (expected: nothing beside ranges, which say it themselves)");
            });
    if (linear.getHeads() != 0) {
      throw new ModuleException(
          here.field("heads"), "given (expected: nothing beside ranges, which say it themselves)");
    }
    for (int i = 0; i < linear.getRangesCount(); i++) {
      if (linear.getRanges(i).hasLearningRateMultiplier()) {
        throw new ModuleException(
            here.field("ranges", i).field("learning_rate_multiplier"),
            "given (expected: none, the tree's plan says it)");
      }
    }
  }

  private static Atom embed(Embed embed, TreePath here) {
    Parameter.Builder parameter = named(embed.getName(), here);
    parameter
        .addShape(Checks.dimension(here.field("rows"), embed.getRows()))
        .addShape(Checks.dimension(here.field("columns"), embed.getColumns()));
    settings(parameter, embed.getSettings(), Manifold.MANIFOLD_OBLIQUE);
    double mass = mass(embed.hasMass(), embed.getMass(), here);
    return atom(here, mass, parameter, NormBounds::embed);
  }

  private static Atom convolution(Convolution convolution, TreePath here) {
    Parameter.Builder parameter = named(convolution.getName(), here);
    parameter
        .addShape(Checks.dimension(here.field("out"), convolution.getOut()))
        .addShape(Checks.dimension(here.field("in"), convolution.getIn()));
    parameter.addAllShape(Checks.kernel(here, convolution.getKernelList()));
    settings(parameter, convolution.getSettings(), Manifold.MANIFOLD_STIEFEL);
    if (parameter.getView() == View.VIEW_UNSPECIFIED) {
      Pair.of(parameter.getManifold(), parameter.getNorm())
          .filter(pair -> pair.seesMatrices(parameter.getShapeCount()))
          .ifPresent(pair -> parameter.setView(kernelView(pair)));
    }
    double mass = mass(convolution.hasMass(), convolution.getMass(), here);
    return atom(here, mass, parameter, NormBounds::convolution);
  }

  /** Rows are filters. */
  private static View kernelView(Pair pair) {
    return pair.needsMatrices() ? View.VIEW_KERNEL_POSITIONS : View.VIEW_FLATTENED;
  }

  private static Atom bias(Bias bias, TreePath here) {
    Parameter.Builder parameter = named(bias.getName(), here);
    parameter.addShape(Checks.dimension(here.field("size"), bias.getSize()));
    settings(parameter, bias.getSettings(), Manifold.MANIFOLD_EUCLIDEAN);
    double mass = mass(bias.hasMass(), bias.getMass(), here);
    return atom(here, mass, parameter, p -> NormBounds.BIAS);
  }

  private static Atom gain(Gain gain, TreePath here) {
    Parameter.Builder parameter = named(gain.getName(), here);
    parameter.addShape(Checks.dimension(here.field("size"), gain.getSize()));
    settings(parameter, gain.getSettings(), Manifold.MANIFOLD_EUCLIDEAN);
    if (parameter.getManifold() == Manifold.MANIFOLD_EUCLIDEAN
        && parameter.getInitial() == Initial.INITIAL_UNSPECIFIED) {
      parameter.setInitial(Initial.INITIAL_ONE);
    }
    double mass = mass(gain.hasMass(), gain.getMass(), here);
    return atom(here, mass, parameter, NormBounds::gain);
  }

  private static Parameter.Builder named(String name, TreePath here) {
    return Parameter.newBuilder().setName(Checks.name(here.field("name"), name));
  }

  private static Atom atom(
      TreePath here, double mass, Parameter.Builder parameter, ToDoubleFunction<Parameter> bound) {
    Parameter complete = complete(parameter, here);
    return new Atom(here, mass, bound.applyAsDouble(complete), complete);
  }

  private static double mass(boolean given, double mass, TreePath here) {
    return given ? Checks.notNegative(here.field("mass"), mass) : 1;
  }

  private static void settings(Parameter.Builder to, AtomSettings settings, Manifold manifold) {
    to.setManifoldValue(settings.getManifoldValue())
        .setNormValue(settings.getNormValue())
        .setViewValue(settings.getViewValue())
        .setInitialValue(settings.getInitialValue())
        .setGroup(settings.getGroup());
    if (settings.getManifold() == Manifold.MANIFOLD_UNSPECIFIED) {
      to.setManifold(manifold);
    }
    if (settings.hasRadius()) {
      to.setRadius(settings.getRadius());
    }
    if (settings.hasRule()) {
      to.setRule(settings.getRule());
    }
  }

  /** The shape is the atom's own: what is wrong with it is told of the atom. */
  private static Parameter complete(Parameter.Builder parameter, TreePath here) {
    try {
      return ParameterChecks.complete(parameter.build());
    } catch (FieldException e) {
      if (e.field().equals("shape")) {
        throw new ModuleException(here, "shape " + e.fault(), e);
      }
      throw new ModuleException(here.field(e.field()), e.fault(), e);
    }
  }
}
