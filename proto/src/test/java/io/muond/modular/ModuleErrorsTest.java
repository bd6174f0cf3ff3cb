package io.muond.modular;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.muond.v1.Module;
import io.muond.v1.Scale;
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
          []                                      | module: BEGIN_ARRAY (expected: an object with one of [linear,
          {}                                      | module: empty (expected one of [linear, embed, bond,
          {'linaer':{}}                           | module: unknown module "linaer" (expected one of [linear,
          {'bond':{'kind':'rulu'}}                | module: unknown bond "rulu" (expected one of [relu, gelu,
          {'bond':{}}                             | bond.kind: missing
          {'bond':{'kind':7}}                     | bond.kind: NUMBER (expected: a string)
          {'bond':{'kind':'relu','scale':2}}      | bond.scale: 2.0 (expected: only with softmax and multiply)
          {'bond':{'kind':'softmax','scale':0}}   | bond.scale: 0.0 (expected: a finite number > 0)
          {'bond':{'kind':'multiply','scale':0}}  | bond.scale: 0.0 (expected: a finite number other than 0)
          {'bond':{'kind':'relu','kind':'relu'}}  | bond.kind: given twice
          {'bond':{'kind':'relu'},'linear':{}}    | module: has "linear" beside bond (expected: one key)
          {'linear':{'name':'w','out':2}}         | linear.in: missing
          {'linear':{'name':'w','out':2,'inn':2}} | linear: unknown key "inn" (expected: [name, out, in, mass])
          {'linear':{'name':'w','out':0,'in':2}}  | linear.out: 0 (expected: >= 1)
          {'linear':{'name':'w','out':1.5,'in':2}} | linear.out: 1.5 (expected: a 64-bit integer)
          {'linear':{'name':'w','out':'2','in':2}} | linear.out: STRING (expected: an integer)
          {'linear':{'name':'a b','out':2,'in':2}} | linear.name: "a b" (expected: 1 to 256 printable ASCII
          {'linear':{'name':'','out':2,'in':2}}   | linear.name: "" (expected: 1 to 256 printable ASCII
          {'linear':{'name':'w','out':4294967296,'in':4294967296}} | linear: 4294967296 x 4294967296 elements
          {'linear':{'name':'w','out':2,'in':2,'mass':-1}} | linear.mass: -1.0 (expected: a finite number >= 0)
          {'linear':{'name':'w','out':2,'in':2,'mass':1e999}} | linear.mass: Infinity (expected: a finite
          {'embed':{'name':'w','rows':2,'columns':-3}} | embed.columns: -3 (expected: >= 1)
          {'embed':{'name':'w','rows':0,'columns':3}} | embed.rows: 0 (expected: >= 1)
          {'sequence':{}}                         | sequence: BEGIN_OBJECT (expected: an array of modules)
          {'sequence':[]}                         | sequence: empty (expected: at least one module)
          {'tuple':[]}                            | tuple: empty (expected: at least one module)
          {'sum':[ATOM,7]}                        | sum[1]: NUMBER (expected: an object with one of
          {'sequence':[ATOM,ATOM]}                | sequence[1].linear.name: "w" is also the name at sequence[0].linear.name
          {'scale':{'of':ATOM}}                   | scale.factor: missing
          {'scale':{'factor':0,'of':ATOM}}        | scale.factor: 0.0 (expected: a finite number other than 0)
          {'scale':{'factor':2}}                  | scale.of: missing
          {'repeat':{'count':0,'of':ATOM}}        | repeat.count: 0 (expected: >= 1)
          {'repeat':{'count':100001,'of':ATOM}}   | module: 100001 atoms (expected: at most 100000)
          {'repeat':{'count':2000,'of':{'scale':{'factor':2,'of':ATOM}}}} | module: sensitivity Infinity
          {'repeat':{'count':2000,'of':{'scale':{'factor':0.5,'of':ATOM}}}} | module: sensitivity 0.0
          {'mass':{'absolute':-1,'of':ATOM}}      | mass.absolute: -1.0 (expected: a finite number >= 0)
          {'mass':{'absolute':1,'of':{'bond':{'kind':'relu'}}}} | mass.of: mass 0 (expected: a module of mass > 0)
          {'sequence':[ATOM,{'bond':{'kind':'relu'}},{'scale':{'factor':2,'of':{'bond':{'kind':'rulu'}}}}]} | sequence[2].scale.of: unknown bond "rulu" (expected one of [relu
          {'sequence':[{'repeat':{'count':2,'of':ATOM}},{'linear':{'name':'w.1','out':2,'in':2}}]} | sequence[1].linear.name: "w.1" is also the name at sequence[0].repeat.of.linear.name
          {'sequence':[                           | module: not valid JSON near "$.sequence[0]"
          {'sequence':[ATOM,]}                    | module: not valid JSON near "$.sequence[1]"
          {bond:7}                                | module: not valid JSON near
          ATOM ATOM                               | module: not valid JSON near
          """)
  void names(String json, String message) {
    String text = json.replace("ATOM", ATOM).replace('\'', '"');
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
        .hasMessage(path + ": too deep (expected: at most 50 levels)");
    assertThatThrownBy(() -> ModuleJson.parse("{\"sequence\":[".repeat(1_000_000)))
        .isInstanceOf(ModuleException.class)
        .hasMessageEndingWith("too deep (expected: at most 50 levels)");
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
