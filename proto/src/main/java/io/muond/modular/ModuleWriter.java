package io.muond.modular;

import com.google.gson.stream.JsonWriter;
import io.muond.v1.Bond;
import io.muond.v1.Embed;
import io.muond.v1.Linear;
import io.muond.v1.Mass;
import io.muond.v1.Module;
import io.muond.v1.Repeat;
import io.muond.v1.Scale;
import java.io.IOException;
import java.util.List;

/** Writes modules. */
final class ModuleWriter {
  private final JsonWriter json;

  ModuleWriter(JsonWriter json) {
    this.json = json;
  }

  void write(Module module) throws IOException {
    json.beginObject();
    switch (module.getKindCase()) {
      case LINEAR -> write(module.getLinear());
      case EMBED -> write(module.getEmbed());
      case BOND -> write(module.getBond());
      case SEQUENCE -> write("sequence", module.getSequence().getModulesList());
      case TUPLE -> write("tuple", module.getTuple().getModulesList());
      case SUM -> write("sum", module.getSum().getModulesList());
      case SCALE -> write(module.getScale());
      case REPEAT -> write(module.getRepeat());
      case MASS -> write(module.getMass());
      case CONVOLUTION, BIAS, GAIN, MLP, CONVOLUTION_STACK, ATTENTION, GPT_BLOCK, GPT ->
          throw new IllegalArgumentException("not known yet");
      case KIND_NOT_SET -> throw new IllegalArgumentException("a module without a kind");
    }
    json.endObject();
  }

  private void write(Linear linear) throws IOException {
    json.name("linear").beginObject();
    json.name("name").value(linear.getName());
    json.name("out").value(linear.getOut());
    json.name("in").value(linear.getIn());
    if (linear.hasMass()) {
      json.name("mass").value(linear.getMass());
    }
    json.endObject();
  }

  private void write(Embed embed) throws IOException {
    json.name("embed").beginObject();
    json.name("name").value(embed.getName());
    json.name("rows").value(embed.getRows());
    json.name("columns").value(embed.getColumns());
    if (embed.hasMass()) {
      json.name("mass").value(embed.getMass());
    }
    json.endObject();
  }

  private void write(Bond bond) throws IOException {
    json.name("bond").beginObject();
    json.name("kind").value(bond.getKind());
    if (bond.hasScale()) {
      json.name("scale").value(bond.getScale());
    }
    json.endObject();
  }

  private void write(String kind, List<Module> modules) throws IOException {
    json.name(kind).beginArray();
    for (Module module : modules) {
      write(module);
    }
    json.endArray();
  }

  private void write(Scale scale) throws IOException {
    json.name("scale").beginObject().name("factor").value(scale.getFactor());
    json.name("of");
    write(scale.getOf());
    json.endObject();
  }

  private void write(Repeat repeat) throws IOException {
    json.name("repeat").beginObject().name("count").value(repeat.getCount());
    json.name("of");
    write(repeat.getOf());
    json.endObject();
  }

  private void write(Mass mass) throws IOException {
    json.name("mass").beginObject().name("absolute").value(mass.getAbsolute());
    json.name("of");
    write(mass.getOf());
    json.endObject();
  }
}
