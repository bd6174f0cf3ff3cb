package io.muond.modular;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.TextFormat;
import io.muond.v1.Module;
import io.muond.v1.Scale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ModuleErrorsTest {
  private static final String ATOM = "{'linear':{'name':'w','out':2,'in':2}}";

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          []                                      | module: an array (expected: an object with one of [linear,
          {}                                      | module: empty (expected one of [linear, embed, bond,
          {'linaer':{}}                           | module: unknown module "linaer" (expected one of [linear,
          {'bond':{'kind':'rulu'}}                | module: unknown bond "rulu" (expected one of [relu, gelu,
          null                                    | module: null (expected: an object with one of
          {'bond':{'kind':true}}                  | bond.kind: true (expected: a string)
          {'bond':{}}                             | bond.kind: missing
          {'bond':{'kind':7}}                     | bond.kind: 7 (expected: a string)
          {'bond':{'kind':'relu','scale':2}}      | bond.scale: 2.0 (expected: only with softmax and multiply)
          {'bond':{'kind':'softmax','scale':0}}   | bond.scale: 0.0 (expected: a finite number > 0)
          {'bond':{'kind':'multiply','scale':0}}  | bond.scale: 0.0 (expected: a finite number other than 0)
          {'bond':{'kind':'relu','kind':'relu'}}  | bond.kind: given twice
          {'bond':{'kind':'relu'},'linear':{}}    | module: has "linear" beside bond (expected: one key)
          {'linear':{'name':'w','out':2}}         | linear.in: missing
          {'linear':{'name':'w','out':2,'inn':2}} | linear: unknown key "inn" (expected: [name, out, in, mass, manifold, norm, radius, rule, group, initial, view, heads, ranges])
          {'linear':{'name':'w','out':0,'in':2}}  | linear.out: 0 (expected: >= 1)
          {'linear':{'name':'w','out':1.5,'in':2}} | linear.out: 1.5 (expected: a 64-bit integer)
          {'linear':{'name':'w','out':'2','in':2}} | linear.out: "2" (expected: an integer)
          {'linear':{'name':'a b','out':2,'in':2}} | linear.name: "a b" (expected: 1 to 256 printable ASCII
          {'linear':{'name':'','out':2,'in':2}}   | linear.name: "" (expected: 1 to 256 printable ASCII
          {'linear':{'name':'w','out':4294967296,'in':4}} | linear.out: 4294967296 (expected: at most 2147483647)
          {'linear':{'name':'w','out':2147483647,'in':2147483647}} | linear: shape (2147483647, 2147483647) (expected: fewer than 2^58 elements)
          {'linear':{'name':'w','out':2,'in':2,'mass':-1}} | linear.mass: -1.0 (expected: a finite number >= 0)
          {'linear':{'name':'w','out':2,'in':2,'mass':1e999}} | linear.mass: Infinity (expected: a finite
          {'embed':{'name':'w','rows':2,'columns':-3}} | embed.columns: -3 (expected: >= 1)
          {'embed':{'name':'w','rows':0,'columns':3}} | embed.rows: 0 (expected: >= 1)
          {'sequence':{}}                         | sequence: an object (expected: an array of modules)
          {'sequence':[]}                         | sequence: empty (expected: at least one module)
          {'tuple':[]}                            | tuple: empty (expected: at least one module)
          {'sum':[ATOM,7]}                        | sum[1]: 7 (expected: an object with one of
          {'sequence':[ATOM,ATOM]}                | sequence[1].linear.name: "w" is also the name at sequence[0].linear.name
          {'scale':{'of':ATOM}}                   | scale.factor: missing
          {'scale':{'factor':0,'of':ATOM}}        | scale.factor: 0.0 (expected: a finite number other than 0)
          {'scale':{'factor':2}}                  | scale.of: missing
          {'repeat':{'count':0,'of':ATOM}}        | repeat.count: 0 (expected: >= 1)
          {'repeat':{'count':100001,'of':ATOM}}   | module: 100001 atoms (expected: at most 100000)
          {'repeat':{'count':2000,'of':{'scale':{'factor':2,'of':ATOM}}}} | module: sensitivity Infinity
          {'repeat':{'count':2000,'of':{'scale':{'factor':0.5,'of':ATOM}}}} | module: sensitivity 0.0
          {'repeat':{'count':50001,'of':{'linear':{'name':'w','out':2,'in':2,'ranges':[{'name':'a','rows':1},{'name':'b','rows':1}]}}}} | module: 50001 times 2 atoms (expected: at most 100000)
          {'sequence':[{'linear':{'name':'w','out':2,'in':2,'ranges':[{'name':'q','rows':2}]}},{'linear':{'name':'w[q]','out':2,'in':2}}]} | sequence[1].linear.name: "w[q]" is also the name at sequence[0].linear.ranges[0].name (expected: distinct names)
          {'sequence':[{'linear':{'name':'w.1[q]','out':2,'in':2}},{'repeat':{'count':2,'of':{'linear':{'name':'w','out':2,'in':2,'ranges':[{'name':'p','rows':1},{'name':'q','rows':1}]}}}}]} | sequence[1].repeat.of.linear.ranges[1].name: "w.1[q]" is also the name at sequence[0].linear.name (expected: distinct names)
          {'mass':{'absolute':-1,'of':ATOM}}      | mass.absolute: -1.0 (expected: a finite number >= 0)
          {'mass':{'absolute':1,'of':{'bond':{'kind':'relu'}}}} | mass.of: mass 0 (expected: a module of mass > 0)
          {'sequence':[ATOM,{'bond':{'kind':'relu'}},{'scale':{'factor':2,'of':{'bond':{'kind':'rulu'}}}}]} | sequence[2].scale.of: unknown bond "rulu" (expected one of [relu
          {'sequence':[{'repeat':{'count':2,'of':ATOM}},{'linear':{'name':'w.1','out':2,'in':2}}]} | sequence[1].linear.name: "w.1" is also the name at sequence[0].repeat.of.linear.name
          {'linear':{ROW,'manifold':'stiefle'}}   | linear.manifold: "stiefle" (expected one of [stiefel, sphere, oblique, centered-oblique, spectral-ball, euclidean])
          {'linear':{ROW,'manifold':'unspecified'}} | linear.manifold: "unspecified" (expected one of [stiefel
          {'linear':{ROW,'manifold':1}}           | linear.manifold: 1 (expected: a string)
          {'linear':{ROW,'norm':'largest-row'}}   | linear.norm: largest-row (expected: spectral or frobenius on the manifold stiefel)
          {'linear':{ROW,'radius':0}}             | linear.radius: 0.0 (expected: a number > 0 and finite as a float32)
          {'linear':{ROW,'view':'kernel-positions'}} | linear.view: kernel-positions (expected: 3 or more dimensions, not shape (6, 4))
          {'linear':{ROW,'initial':'one'}}        | linear.initial: one (expected: only on the manifold euclidean)
          {'linear':{ROW,'rule':{'momentum':1}}}  | linear.rule.momentum: 1.0 (expected: a number in [0, 1))
          {'linear':{ROW,'rule':{'momentun':1}}}  | linear.rule: unknown key "momentun" (expected: [solver, precision,
          {'linear':{ROW,'rule':{'nesterov':1}}}  | linear.rule.nesterov: 1 (expected: true or false)
          {'linear':{ROW,'rule':{'msign_steps':0}}} | linear.rule.msign_steps: 0 (expected: >= 1)
          {'linear':{ROW,'rule':{'msign_steps':4294967297}}} | linear.rule.msign_steps: 4294967297 (expected: 0 to 4294967295)
          {'linear':{ROW,'rule':{'solver':'admm','admm':{'iterations':0}}}} | linear.rule.admm.iterations: 0 (expected: 1 to 10000)
          {'linear':{ROW,'heads':4}}              | linear.heads: 4 (expected: a divisor of out, 6)
          {'linear':{ROW,'heads':0}}              | linear.heads: 0 (expected: >= 1)
          {'linear':{ROW,'ranges':[{'name':'q','rows':5}]}} | linear.ranges: 5 rows (expected: as many as the parameter has: 6)
          {'linear':{ROW,'ranges':[{'name':'q','rows':5},{'name':'k','rows':2}]}} | linear.ranges[1].rows: 2 (expected: at most the 1 left)
          {'linear':{ROW,'ranges':[{'name':'q','rows':6,'heads':5}]}} | linear.ranges[0].heads: 5 (expected: a divisor of the 6 rows)
          {'linear':{ROW,'ranges':[{'name':'q','rows':6,'learning_rate_multiplier':2}]}} | linear.ranges[0].learning_rate_multiplier: given (expected: none, the tree's plan says it)
          {'linear':{ROW,'ranges':[{'name':'q','rows':6,'rule':{'adamw':{}}}]}} | linear.ranges[0].rule.adamw: given (expected: only with the norm adamw)
          {'linear':{ROW,'radius':2,'ranges':[{'name':'q','rows':6}]}} | linear.radius: given (expected: nothing beside ranges
          {'linear':{ROW,'heads':2,'ranges':[{'name':'q','rows':6}]}} | linear.heads: given (expected: nothing beside ranges
          {'linear':{ROW,'ranges':[{'rows':6}]}}  | linear.ranges[0].name: missing
          {'linear':{ROW,'ranges':7}}             | linear.ranges: 7 (expected: an array)
          {'embed':{'name':'e','rows':3,'columns':1,'manifold':'centered-oblique'}} | embed: shape (3, 1) (expected: rows of 2 or more elements on centered-oblique
          {'convolution':{'name':'c','out':3,'in':2,'kernel':[]}} | convolution.kernel: empty (expected: at least one size)
          {'convolution':{'name':'c','out':3,'in':2,'kernel':[3,0]}} | convolution.kernel[1]: 0 (expected: >= 1)
          {'bias':{'name':'b','size':0}}          | bias.size: 0 (expected: >= 1)
          {'bias':{'name':'b','size':3,'manifold':'stiefel'}} | bias: shape (3) (expected: 2 or more dimensions on stiefel with spectral)
          {'gain':{'name':'g','size':3,'rule':{'momentum':0.9}}} | gain.rule.momentum: 0.9 (expected: only with norms other than adamw)
          {'mlp':{'widths':[3]}}                  | mlp.widths: [3] (expected: at least two sizes)
          {'mlp':{'widths':[3,0]}}                | mlp.widths[1]: 0 (expected: >= 1)
          {'mlp':{'widths':[3,2147483648]}}       | mlp.widths[1]: 2147483648 (expected: at most
          {'mlp':{'widths':[3,3],'activation':'rulu'}} | mlp.activation: unknown bond "rulu" (expected one of [relu
          {'mlp':{'widths':[1,3],'manifold':'centered-oblique'}} | mlp: shape (3, 1) (expected: rows of 2 or more
          {'mlp':{'name':'a b','widths':[1,3]}}   | mlp.name: "a b.fc1" (expected: 1 to 256 printable ASCII
          {'convolution_stack':{'channels':[1,2],'kernel':[3,-1]}} | convolution_stack.kernel[1]: -1 (expected: >= 1)
          {'convolution':{'name':'c','out':3,'in':2,'kernel':[1,1,1,1,1,1,1]}} | convolution.kernel: 7 sizes (expected: at most 6)
          {'convolution_stack':{'channels':[1,2],'kernel':[1,1,1,1,1,1,1]}} | convolution_stack.kernel: 7 sizes (expected: at most 6)
          {'convolution_stack':{'channels':[1],'kernel':[3]}} | convolution_stack.channels: [1] (expected: at least two sizes)
          {'attention':{'width':6,'heads':4}}     | attention.heads: 4 (expected: a divisor of width, 6)
          {'gpt_block':{'width':6,'heads':4}}     | gpt_block.heads: 4 (expected: a divisor of width, 6)
          {'gpt':{'vocabulary':6,'width':6,'blocks':1,'heads':4}} | gpt.heads: 4 (expected: a divisor of width, 6)
          {'attention':{'width':6,'softmax_scale':0}} | attention.softmax_scale: 0.0 (expected: a finite number > 0)
          {'gpt_block':{'width':6,'blocks':-1}}   | gpt_block.blocks: -1 (expected: >= 1)
          {'gpt_block':{'width':2147483647}}      | gpt_block.hidden: 8589934588 (expected: at most 2147483647)
          {'gpt':{'vocabulary':6,'width':6}}      | gpt.blocks: missing
          {'gpt':{'vocabulary':6,'width':6,'blocks':2,'radius':-1}} | gpt.radius: -1.0 (expected: a number > 0
          {'gpt':{'vocabulary':6,'width':6,'blocks':2,'blocks_mass':-1}} | gpt.blocks_mass: -1.0 (expected: a finite number >= 0)
          {'gpt':{'vocabulary':6,'width':6,'blocks':2,'head_scale':0}} | gpt.head_scale: 0.0 (expected: a finite number other than 0)
          {'gpt':{'vocabulary':6,'width':6,'blocks':20000}} | gpt: 20000 times 6 atoms (expected: at most 100000)
          {'tuple':[{'gpt_block':{'width':6}},{'gpt_block':{'width':6}}]} | tuple[1].gpt_block.name: "v" is also the name at tuple[0].gpt_block.name (expected: distinct names)
          {'sequence':[                           | module: not valid JSON near "$.sequence[0]"
          {'sequence':[ATOM,]}                    | module: not valid JSON near "$.sequence[1]"
          {bond:7}                                | module: not valid JSON near
          ATOM ATOM                               | module: not valid JSON near
          """)
  void names(String json, String message) {
    String text =
        json.replace("ATOM", ATOM).replace("ROW", "'name':'w','out':6,'in':4").replace('\'', '"');
    assertThatThrownBy(() -> ModuleJson.parse(text))
        .isInstanceOf(ModuleException.class)
        .hasMessageStartingWith(message)
        .hasMessageNotContaining("\n");
  }

  @Test
  void deepTreesAreRefusedWhereTheyPassTheLimit() {
    String path = "scale.of" + ".scale.of".repeat(Planner.MAX_DEPTH - 1);
    assertThatThrownBy(() -> ModuleJson.parse(PlannerTest.nested(Planner.MAX_DEPTH + 1)))
        .isInstanceOf(ModuleException.class)
        .hasMessage(path + ": too deep (expected: at most 48 levels)");
    assertThatThrownBy(() -> ModuleJson.parse("{\"sequence\":[".repeat(1_000_000)))
        .isInstanceOf(ModuleException.class)
        .hasMessageEndingWith("too deep (expected: at most 48 levels)");
  }

  @Test
  void compoundsCountWithTheLevelsInside() {
    String block = "{\"gpt_block\":{\"width\":2}}";
    int levels = 9;
    assertThat(
            Planner.plan(ModuleJson.parse(within(Planner.MAX_DEPTH - levels, block)))
                .getAtomsCount())
        .isEqualTo(6);
    assertThatThrownBy(() -> ModuleJson.parse(within(Planner.MAX_DEPTH - levels + 1, block)))
        .isInstanceOf(ModuleException.class)
        .hasMessageEndingWith("scale.of.gpt_block: too deep (expected: at most 48 levels)");
  }

  @Test
  void tooManyAtomsAreRefusedOnTheWay() {
    String widths = "1,".repeat(60_000) + "1";
    String mlp = "{\"mlp\":{\"name\":\"%s\",\"widths\":[" + widths + "]}}";
    assertThat(Planner.plan(ModuleJson.parse(mlp.formatted("a"))).getAtomsCount())
        .isEqualTo(60_000);
    assertThatThrownBy(
            () ->
                ModuleJson.parse(
                    "{\"tuple\":[" + mlp.formatted("a") + "," + mlp.formatted("b") + "]}"))
        .hasMessage("module: more than 100000 atoms (expected: at most 100000)");
    assertThatThrownBy(
            () -> ModuleJson.parse("{\"mlp\":{\"widths\":[" + widths + "," + widths + "]}}"))
        .hasMessage("mlp.widths: 120002 sizes (expected: at most 100001)");
  }

  @Test
  void rangesAreCountedOnTheWay() {
    String range = "{\"name\":\"%d\",\"rows\":1}";
    String ranges =
        IntStream.rangeClosed(0, Planner.MAX_ATOMS)
            .mapToObj(i -> range.formatted(i))
            .collect(Collectors.joining(","));
    assertThatThrownBy(
            () ->
                ModuleJson.parse(
                    "{\"linear\":{\"name\":\"w\",\"out\":100001,\"in\":1,\"ranges\":["
                        + ranges
                        + "]}}"))
        .hasMessage("module: more than 100000 atoms (expected: at most 100000)");
  }

  @Test
  void tooManyModulesAreRefused() {
    String bond = "{\"bond\":{\"kind\":\"relu\"}}";
    String bonds = (bond + ",").repeat(Planner.MAX_MODULES - 2) + bond;
    assertThat(Planner.plan(ModuleJson.parse("{\"sequence\":[" + bonds + "]}")).getMass()).isZero();
    assertThatThrownBy(() -> ModuleJson.parse("{\"sequence\":[" + bonds + "," + bond + "]}"))
        .hasMessage("module: more than 300000 modules (expected: at most 300000)");
  }

  /** What JSON cannot say, protobuf can. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          linear {name: 'w' out: 2 in: 2 mass: nan}                        | linear.mass: NaN (expected: a finite number >= 0)
          linear {name: 'w' out: 2 in: 2 heads: 4294967295}                | linear.heads: 4294967295 (expected: a divisor of out, 2)
          linear {name: 'w' out: 2 in: 2 settings {manifold: 9}}           | linear.manifold: 9 (expected: a known manifold)
          linear {name: 'w' out: 2 in: 2 settings {radius: nan}}           | linear.radius: NaN (expected: a number > 0
          linear {name: 'w' out: 2 in: 2 ranges {name: 'a\\nb' rows: 2}} | linear.ranges[0].name: "a\\u000ab" (expected:
          linear {name: 'w' out: 2 in: 2 settings {group: '1'} ranges {name: 'a' rows: 2}} | linear.group: given (expected: nothing beside
          bond {kind: 'softmax' scale: nan}                                | bond.scale: NaN (expected: a finite number > 0)
          bond {kind: 'multiply' scale: inf}                               | bond.scale: Infinity (expected: a finite number other
          scale {factor: nan of {bond {kind: 'relu'}}}                     | scale.factor: NaN (expected: a finite number other
          mass {absolute: nan of {bias {name: 'b' size: 1}}}               | mass.absolute: NaN (expected: a finite number >= 0)
          gpt {vocabulary: 2 width: 2 blocks: 1 head_scale: nan}           | gpt.head_scale: NaN (expected
          gpt {vocabulary: 2 width: 2 blocks: 1 softmax_scale: inf}        | gpt.softmax_scale: Infinity (expected
          """)
  void numbersThatJsonLacksAreRefused(String text, String message) throws Exception {
    Module module = TextFormat.parse(text, Module.class);
    assertThatThrownBy(() -> Planner.parameters(module))
        .isInstanceOf(ModuleException.class)
        .hasMessageStartingWith(message)
        .hasMessageNotContaining("\n");
  }

  private static String within(int levels, String module) {
    return "{\"scale\":{\"factor\":1,\"of\":".repeat(levels) + module + "}}".repeat(levels);
  }

  @Test
  void treesBuiltWithoutJsonAreCheckedToo() {
    Module empty = Module.newBuilder().setScale(Scale.newBuilder().setFactor(1)).build();
    ModuleException e = catchThrowableOfType(ModuleException.class, () -> Planner.plan(empty));
    assertThat(e.path()).isEqualTo("scale.of");
    assertThat(e).hasMessageStartingWith("scale.of: not set (expected one of [linear");
    assertThatThrownBy(() -> Planner.parameters(empty)).hasMessage(e.getMessage());
  }
}
