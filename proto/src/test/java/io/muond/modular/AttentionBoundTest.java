package io.muond.modular;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import io.muond.v1.Module;
import io.muond.v1.Plan;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Attention multiplies what flows: where that may be large, outputs move further. */
final class AttentionBoundTest {
  private static final int WIDTH = 4;
  private static final int POSITIONS = 3;

  private static final String ATTENTION =
      """
      {'sequence':[
        {'tuple':[{'sequence':[{'linear':{'name':'v','out':4,'in':4,'radius':%s}},
                               {'bond':{'kind':'split_heads'}}]},
                  {'sequence':[{'tuple':[{'linear':{'name':'q','out':4,'in':4,'radius':%s}},
                                         {'linear':{'name':'k','out':4,'in':4,'radius':%s}}]},
                               {'bond':{'kind':'rope'}},{'bond':{'kind':'attention_qk'}},
                               {'bond':{'kind':'causal_mask'}},
                               {'bond':{'kind':'softmax','scale':1}}]}]},
        {'scale':{'factor':0.3333333333333333,'of':{'bond':{'kind':'attention_apply'}}}},
        {'bond':{'kind':'merge_heads'}},
        {'linear':{'name':'o','out':4,'in':4}}]}
      """;

  private static final String TRANSFORMER =
      """
      {'sequence':[
        {'linear':{'name':'in','out':4,'in':4,'radius':%s}},
        {'bias':{'name':'b','size':4,'manifold':'sphere','radius':%s}},
        {'repeat':{'count':%d,'of':{'gpt_block':
          {'width':4,'hidden':6,'heads':%d,'blocks':%d,'softmax_scale':%s,'radius':%s}}}},
        {'linear':{'name':'out','out':3,'in':4}}]}
      """;

  @Property(tries = 300)
  void outputsMoveNoMoreThanPromised(@ForAll long seed) {
    Random random = new Random(seed);
    int heads = 1 + random.nextInt(2);
    int blocks = 1 + random.nextInt(3);
    // Of a matrix of a head; with radius r vectors grow by r sqrt(heads).
    double radius = (0.6 + 1.5 * random.nextDouble()) / Math.sqrt(heads);
    Module module =
        module(
            TRANSFORMER.formatted(
                0.3 + 0.8 * random.nextDouble(),
                0.5 * random.nextDouble(),
                blocks,
                heads,
                blocks,
                0.5 + 2 * random.nextDouble(),
                radius));
    Plan plan = Planner.plan(module);
    assertThat(plan.hasLipschitzBound()).isTrue();
    assertThat(slope(module, heads, random, 20))
        .isLessThanOrEqualTo(plan.getLipschitzBound() * (1 + 1e-9));
  }

  /** Scores move by 3 times what q or k does, and what they mix by 100 times what they do. */
  @Test
  void largeVectorsMoveOutputsFurtherThanTheProductOfBounds() {
    Module module = module(ATTENTION.formatted(100, 3, 3));
    double product = (100 + 3 + 3) / 3.0;
    double slope = slope(module, 1, new Random(1), 2_000);
    double bound = Planner.plan(module).getLipschitzBound();
    assertThat(slope).isBetween(1.1 * product, bound);
    assertThat(bound).isCloseTo((100 + 100 * 3 * (3 + 3)) / 3.0, within(1e-9));
  }

  /** The largest of so many slopes, of random networks between random inputs. */
  private static double slope(Module module, int heads, Random random, int tries) {
    Samples samples = new Samples(random);
    AttentionNetwork network = new AttentionNetwork(module, heads, random);
    double largest = 0;
    for (int i = 0; i < tries; i++) {
      double[][] x = positions(samples);
      double[][] moved =
          AttentionNetwork.add(
              x,
              AttentionNetwork.times(Math.pow(10, -3 * random.nextDouble()), positions(samples)));
      double shrink = 1 / Math.max(AttentionNetwork.norm(x), AttentionNetwork.norm(moved));
      x = AttentionNetwork.times(shrink, x);
      moved = AttentionNetwork.times(shrink, moved);
      double distance = distance(x, moved);
      largest = Math.max(largest, distance(network.run(x), network.run(moved)) / distance);
    }
    return largest;
  }

  private static double distance(double[][] x, double[][] y) {
    return AttentionNetwork.norm(AttentionNetwork.add(x, AttentionNetwork.times(-1, y)));
  }

  private static double[][] positions(Samples samples) {
    double[][] x = new double[POSITIONS][];
    for (int p = 0; p < POSITIONS; p++) {
      x[p] = samples.vector(WIDTH);
    }
    return x;
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {'gpt':{'vocabulary':65,'width':128,'blocks':3}}     | 1
          {'gpt':{'vocabulary':65,'width':128,'blocks':10000}} | 1
          {'gpt':{'vocabulary':65,'width':128,'blocks':3,'heads':4,'head_scale':50}} | 50
          {'attention':{'width':4}}                            | 1
          {'attention':{'width':4,'radius':2}}                 | 12
          {'sequence':[{'scale':{'factor':2,'of':{'bond':{'kind':'identity'}}}},{'scale':{'factor':0.5,'of':{'bond':{'kind':'identity'}}}},{'attention':{'width':4}}]} | 1
          {'sequence':[{'bond':{'kind':'multiply','scale':-2}},{'attention':{'width':4}}]} | 6
          {'sequence':[{'sum':[{'bond':{'kind':'relu'}},{'bond':{'kind':'relu'}}]},{'attention':{'width':4}}]} | 6
          {'sequence':[{'tuple':[{'bond':{'kind':'relu'}},{'bond':{'kind':'relu'}}]},{'bond':{'kind':'attention_qk'}}]} | 2
          {'sequence':[{'scale':{'factor':3,'of':{'tuple':[{'bond':{'kind':'relu'}},{'bond':{'kind':'relu'}}]}}},{'bond':{'kind':'attention_qk'}}]} | 18
          {'sequence':[{'tuple':[{'bond':{'kind':'relu'}},{'bond':{'kind':'relu'}}]},{'bond':{'kind':'add'}},{'bond':{'kind':'attention_qk'}}]} | 4
          {'sequence':[{'bias':{'name':'b','size':4}},{'bond':{'kind':'softmax'}},{'attention':{'width':4}}]} | 1
          {'sequence':[{'bias':{'name':'b','size':4,'manifold':'sphere','radius':6}},{'attention':{'width':4}}]} | 11
          {'sequence':[{'attention':{'width':4}},{'bias':{'name':'b','size':4}}]} | 1
          {'sequence':[{'embed':{'name':'e','rows':3,'columns':4,'radius':3}},{'attention':{'width':4}}]} | 2.75
          {'sequence':[{'scale':{'factor':8,'of':{'bond':{'kind':'identity'}}}},{'embed':{'name':'e','rows':3,'columns':4}},{'attention':{'width':4}}]} | 8
          {'repeat':{'count':3,'of':{'scale':{'factor':3,'of':{'attention':{'width':4}}}}}} | 27
          {'sequence':[{'repeat':{'count':9000000000000000000,'of':{'sequence':[{'bond':{'kind':'relu'}},{'bond':{'kind':'softmax'}}]}}},{'attention':{'width':4}}]} | 1
          """)
  void sizesAreFollowed(String json, double bound) {
    Plan plan = Planner.plan(module(json));
    assertThat(plan.getNoLipschitzBoundBecause()).isEmpty();
    assertThat(plan.getLipschitzBound()).isCloseTo(bound, withinPercentage(1e-7));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {'sequence':[{'bias':{'name':'b','size':4}},{'attention':{'width':4}}]} | attention_qk at sequence[1].attention may see inputs of any size, after what is added at sequence[0].bias
          {'sequence':[{'linear':{'name':'w','out':4,'in':4,'manifold':'euclidean'}},{'attention':{'width':4}}]} | the weight at sequence[0].linear is not bounded on its manifold
          {'repeat':{'count':20,'of':{'linear':{'name':'w','out':2,'in':2,'radius':1e20}}}} | the product of bounds is Infinity in double precision
          """)
  void saysWhatIsToBlame(String json, String fault) {
    Plan plan = Planner.plan(module(json));
    assertThat(plan.getNoLipschitzBoundBecause()).isEqualTo(fault);
    assertThat(plan.hasLipschitzBound()).isFalse();
  }

  /** Copies that never end, and grow: nothing is known of what comes out, and it takes no time. */
  @Test
  void copiesAreFollowedSoFar() {
    String growing =
        "{'repeat':{'count':%d,'of':{'sum':[{'bond':{'kind':'identity'}},{'scale':{'factor':1e-12,'of':{'bond':{'kind':'softmax'}}}}]}}}";
    String tree = "{'sequence':[" + growing + ",{'attention':{'width':4}}]}";
    assertThat(Planner.plan(module(tree.formatted(1))).hasLipschitzBound()).isTrue();
    assertThat(
            Planner.plan(module(tree.formatted(9_000_000_000_000L))).getNoLipschitzBoundBecause())
        .isEqualTo(
            "attention_qk at sequence[1].attention may see inputs that have grown over too many"
                + " copies to follow");
  }

  private static Module module(String json) {
    return ModuleJson.parse(json.replace('\'', '"'));
  }
}
