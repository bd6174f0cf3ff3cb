package io.muond.modular;

import io.muond.v1.AtomSettings;
import io.muond.v1.Attention;
import io.muond.v1.Bond;
import io.muond.v1.Convolution;
import io.muond.v1.ConvolutionStack;
import io.muond.v1.Embed;
import io.muond.v1.Gpt;
import io.muond.v1.GptBlock;
import io.muond.v1.Linear;
import io.muond.v1.Mass;
import io.muond.v1.Mlp;
import io.muond.v1.Module;
import io.muond.v1.Repeat;
import io.muond.v1.Scale;
import io.muond.v1.Sequence;
import io.muond.v1.Sum;
import io.muond.v1.Tuple;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Writes compounds out as the trees that they are short for. Values that are the compound's own are
 * checked here, so that errors name its fields; what its atoms check is named after the same
 * fields.
 */
final class Compounds {
  private static final double ATTENTION_FACTOR = 1.0 / 3;
  private static final double BLOCKS_MASS = 5;
  private static final int MLP_FACTOR = 4;
  private static final String RELU = "relu";

  private Compounds() {}

  /**
   * The tree, without compounds.
   *
   * @param module a compound
   * @param here where it is, for errors
   */
  static Module expand(Module module, TreePath here) {
    return switch (module.getKindCase()) {
      case MLP -> mlp(module.getMlp(), here);
      case CONVOLUTION_STACK -> convolutions(module.getConvolutionStack(), here);
      case ATTENTION -> attention(module.getAttention(), here);
      case GPT_BLOCK -> block(module.getGptBlock(), here);
      case GPT -> gpt(module.getGpt(), here);
      default -> throw new IllegalArgumentException(module.getKindCase() + " is no compound");
    };
  }

  private static Module mlp(Mlp mlp, TreePath here) {
    List<Long> widths = sizes(here, "widths", mlp.getWidthsList());
    Module activation = activation(mlp.getActivation(), here);
    Layers layers = new Layers(mlp.getName(), mlp.getSettings(), 1);
    List<Module> modules = new ArrayList<>();
    for (int i = 1; i < widths.size(); i++) {
      if (i > 1) {
        modules.add(activation);
      }
      modules.add(layers.linear("fc" + i, widths.get(i), widths.get(i - 1)));
    }
    return sequence(modules);
  }

  private static Module convolutions(ConvolutionStack stack, TreePath here) {
    List<Long> channels = sizes(here, "channels", stack.getChannelsList());
    Module activation = activation(stack.getActivation(), here);
    List<Long> kernel = Checks.kernel(here, stack.getKernelList());
    Layers layers = new Layers(stack.getName(), stack.getSettings(), 1);
    List<Module> modules = new ArrayList<>();
    for (int i = 1; i < channels.size(); i++) {
      Convolution.Builder convolution =
          Convolution.newBuilder()
              .setName(layers.prefixed("conv" + i))
              .setOut(channels.get(i))
              .setIn(channels.get(i - 1))
              .addAllKernel(kernel)
              .setSettings(stack.getSettings());
      modules.add(Module.newBuilder().setConvolution(convolution).build());
      modules.add(activation);
    }
    return sequence(modules);
  }

  private static Module attention(Attention attention, TreePath here) {
    long width = Checks.dimension(here.field("width"), attention.getWidth());
    Checks.heads(here, attention.getHeads(), "width", width);
    double scale = softmaxScale(attention.hasSoftmaxScale(), attention.getSoftmaxScale(), here);
    return new Layers(attention.getName(), attention.getSettings(), attention.getHeads())
        .attention(width, scale);
  }

  private static Module block(GptBlock block, TreePath here) {
    long width = Checks.dimension(here.field("width"), block.getWidth());
    Checks.heads(here, block.getHeads(), "width", width);
    long hidden = hidden(block.getHidden(), width, here);
    long blocks = orDefault(here.field("blocks"), block.getBlocks(), 1);
    double scale = softmaxScale(block.hasSoftmaxScale(), block.getSoftmaxScale(), here);
    return new Layers(block.getName(), block.getSettings(), block.getHeads())
        .block(width, hidden, blocks, scale);
  }

  private static Module gpt(Gpt gpt, TreePath here) {
    long vocabulary = Checks.dimension(here.field("vocabulary"), gpt.getVocabulary());
    long width = Checks.dimension(here.field("width"), gpt.getWidth());
    Checks.heads(here, gpt.getHeads(), "width", width);
    long blocks = Checks.atLeastOne(here.field("blocks"), gpt.getBlocks());
    long hidden = hidden(gpt.getHidden(), width, here);
    double mass =
        Checks.notNegative(
            here.field("blocks_mass"), gpt.hasBlocksMass() ? gpt.getBlocksMass() : BLOCKS_MASS);
    double headScale =
        Checks.notZero(here.field("head_scale"), gpt.hasHeadScale() ? gpt.getHeadScale() : 1);
    double scale = softmaxScale(gpt.hasSoftmaxScale(), gpt.getSoftmaxScale(), here);
    Layers layers = new Layers(gpt.getName(), gpt.getSettings(), gpt.getHeads());
    Embed.Builder embed =
        Embed.newBuilder().setName(layers.prefixed("embed")).setRows(vocabulary).setColumns(width);
    Module block = layers.block(width, hidden, blocks, scale);
    Module tower =
        Module.newBuilder().setRepeat(Repeat.newBuilder().setCount(blocks).setOf(block)).build();
    return sequence(
        Module.newBuilder().setEmbed(embed).build(),
        Module.newBuilder().setMass(Mass.newBuilder().setAbsolute(mass).setOf(tower)).build(),
        scale(headScale, layers.linear("head", vocabulary, width)));
  }

  /** What the layers of a compound have in common. */
  private record Layers(String name, AtomSettings settings, int heads) {

    String prefixed(String atom) {
      return name.isEmpty() ? atom : name + "." + atom;
    }

    Module linear(String atom, long out, long in) {
      return linear(atom, out, in, 0);
    }

    private Module linear(String atom, long out, long in, int heads) {
      Linear.Builder linear =
          Linear.newBuilder().setName(prefixed(atom)).setOut(out).setIn(in).setHeads(heads);
      if (!settings.equals(AtomSettings.getDefaultInstance())) {
        linear.setSettings(settings);
      }
      return Module.newBuilder().setLinear(linear).build();
    }

    private Module split(String atom, long width) {
      return sequence(linear(atom, width, width, heads), bond("split_heads"));
    }

    Module attention(long width, double softmaxScale) {
      Module scores =
          sequence(
              tuple(split("q", width), split("k", width)),
              bond("rope"),
              bond("attention_qk"),
              bond("causal_mask"),
              Module.newBuilder()
                  .setBond(Bond.newBuilder().setKind("softmax").setScale(softmaxScale))
                  .build());
      return sequence(
          tuple(split("v", width), scores),
          scale(ATTENTION_FACTOR, bond("attention_apply")),
          bond("merge_heads"),
          linear("o", width, width));
    }

    Module block(long width, long hidden, long blocks, double softmaxScale) {
      Module mlp =
          sequence(linear("up", hidden, width), bond("gelu"), linear("down", width, hidden));
      double r = 1 / (2.0 * blocks);
      return sequence(residual(r, attention(width, softmaxScale)), residual(r, mlp));
    }
  }

  private static Module residual(double r, Module branch) {
    Sum.Builder sum =
        Sum.newBuilder().addModules(scale(1 - r, bond("identity"))).addModules(scale(r, branch));
    return Module.newBuilder().setSum(sum).build();
  }

  private static List<Long> sizes(TreePath here, String field, List<Long> sizes) {
    if (sizes.size() < 2) {
      throw new ModuleException(here.field(field), sizes + " (expected: at least two sizes)");
    }
    if (sizes.size() - 1 > Planner.MAX_ATOMS) {
      throw new ModuleException(
          here.field(field),
          sizes.size() + " sizes (expected: at most " + (Planner.MAX_ATOMS + 1) + ")");
    }
    for (int i = 0; i < sizes.size(); i++) {
      Checks.dimension(here.field(field, i), sizes.get(i));
    }
    return sizes;
  }

  private static Module activation(String kind, TreePath here) {
    return bond(kind.isEmpty() ? RELU : Bonds.kind(here.field("activation"), kind));
  }

  private static double softmaxScale(boolean given, double scale, TreePath here) {
    return given ? Checks.positive(here.field("softmax_scale"), scale) : 1;
  }

  private static long hidden(long hidden, long width, TreePath here) {
    TreePath at = here.field("hidden");
    return Checks.dimension(at, orDefault(at, hidden, MLP_FACTOR * width));
  }

  private static long orDefault(TreePath path, long value, long otherwise) {
    return value == 0 ? otherwise : Checks.atLeastOne(path, value);
  }

  private static Module bond(String kind) {
    return Module.newBuilder().setBond(Bond.newBuilder().setKind(kind)).build();
  }

  private static Module scale(double factor, Module of) {
    return Module.newBuilder().setScale(Scale.newBuilder().setFactor(factor).setOf(of)).build();
  }

  private static Module tuple(Module... modules) {
    Tuple.Builder tuple = Tuple.newBuilder().addAllModules(Arrays.asList(modules));
    return Module.newBuilder().setTuple(tuple).build();
  }

  private static Module sequence(Module... modules) {
    return sequence(Arrays.asList(modules));
  }

  private static Module sequence(List<Module> modules) {
    return Module.newBuilder().setSequence(Sequence.newBuilder().addAllModules(modules)).build();
  }
}
