package io.muond.modular;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.v1.Module;
import io.muond.v1.Parameter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Compounds against the trees that they are short for. */
final class CompoundsTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {'mlp':{'widths':[4,3,2]}} | {'sequence':[{'linear':{'name':'fc1','out':3,'in':4}},{'bond':{'kind':'relu'}},{'linear':{'name':'fc2','out':2,'in':3}}]}
          {'mlp':{'name':'m','widths':[4,3],'activation':'gelu','radius':2.0}} | {'sequence':[{'linear':{'name':'m.fc1','out':3,'in':4,'radius':2.0}}]}
          {'mlp':{'widths':[4,3,2],'activation':'gelu','rule':{'momentum':0.9}}} | {'sequence':[{'linear':{'name':'fc1','out':3,'in':4,'rule':{'momentum':0.9}}},{'bond':{'kind':'gelu'}},{'linear':{'name':'fc2','out':2,'in':3,'rule':{'momentum':0.9}}}]}
          {'convolution_stack':{'name':'c','channels':[1,2,3],'kernel':[3,5],'view':'flattened'}} | {'sequence':[{'convolution':{'name':'c.conv1','out':2,'in':1,'kernel':[3,5],'view':'flattened'}},{'bond':{'kind':'relu'}},{'convolution':{'name':'c.conv2','out':3,'in':2,'kernel':[3,5],'view':'flattened'}},{'bond':{'kind':'relu'}}]}
          {'attention':{'name':'a','width':6,'heads':3,'softmax_scale':0.5}} | {'sequence':[{'tuple':[{'sequence':[{'linear':{'name':'a.v','out':6,'in':6,'heads':3}},{'bond':{'kind':'split_heads'}}]},{'sequence':[{'tuple':[{'sequence':[{'linear':{'name':'a.q','out':6,'in':6,'heads':3}},{'bond':{'kind':'split_heads'}}]},{'sequence':[{'linear':{'name':'a.k','out':6,'in':6,'heads':3}},{'bond':{'kind':'split_heads'}}]}]},{'bond':{'kind':'rope'}},{'bond':{'kind':'attention_qk'}},{'bond':{'kind':'causal_mask'}},{'bond':{'kind':'softmax','scale':0.5}}]}]},{'scale':{'factor':0.3333333333333333,'of':{'bond':{'kind':'attention_apply'}}}},{'bond':{'kind':'merge_heads'}},{'linear':{'name':'a.o','out':6,'in':6}}]}
          {'gpt_block':{'width':6,'blocks':4,'hidden':5,'group':'g'}} | {'sequence':[{'sum':[{'scale':{'factor':0.875,'of':{'bond':{'kind':'identity'}}}},{'scale':{'factor':0.125,'of':{'attention':{'width':6,'group':'g'}}}}]},{'sum':[{'scale':{'factor':0.875,'of':{'bond':{'kind':'identity'}}}},{'scale':{'factor':0.125,'of':{'sequence':[{'linear':{'name':'up','out':5,'in':6,'group':'g'}},{'bond':{'kind':'gelu'}},{'linear':{'name':'down','out':6,'in':5,'group':'g'}}]}}}]}]}
          {'gpt':{'name':'t','vocabulary':9,'width':6,'blocks':2,'hidden':7,'blocks_mass':2.0,'head_scale':3.0}} | {'sequence':[{'embed':{'name':'t.embed','rows':9,'columns':6}},{'mass':{'absolute':2.0,'of':{'repeat':{'count':2,'of':{'gpt_block':{'name':'t','width':6,'blocks':2,'hidden':7}}}}}},{'scale':{'factor':3.0,'of':{'linear':{'name':'t.head','out':9,'in':6}}}}]}
          """)
  void areShortForTrees(String compound, String tree) {
    Module module = module(compound);
    assertThat(ModuleJson.format(module)).isEqualTo(compound.replace('\'', '"'));
    assertThat(Planner.plan(module)).isEqualTo(Planner.plan(module(tree)));
    assertThat(Planner.parameters(module)).isEqualTo(Planner.parameters(module(tree)));
  }

  @Test
  void standAnywhere() {
    Module module =
        module(
            "{'repeat':{'count':2,'of':{'scale':{'factor':0.5,'of':"
                + "{'mass':{'absolute':3,'of':{'mlp':{'name':'m','widths':[2,2,2]}}}}}}}}");
    assertThat(Planner.parameters(module))
        .extracting(Parameter::getName)
        .containsExactly("m.fc1.0", "m.fc2.0", "m.fc1.1", "m.fc2.1");
    assertThat(Planner.plan(module).getAtomsList())
        .extracting(atom -> atom.getLearningRateMultiplier())
        .containsExactly(1.0, 1.0, 0.5, 0.5);
  }

  private static Module module(String json) {
    return ModuleJson.parse(json.replace('\'', '"'));
  }
}
