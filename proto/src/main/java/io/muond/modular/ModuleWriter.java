package io.muond.modular;

import com.google.gson.stream.JsonWriter;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.muond.manifold.Words;
import io.muond.v1.Module;
import java.io.IOException;
import java.util.List;

/** Writes modules. */
final class ModuleWriter {
  private final JsonWriter json;

  ModuleWriter(JsonWriter json) {
    this.json = json;
  }

  void write(Module module) throws IOException {
    if (module.getKindCase() == Module.KindCase.KIND_NOT_SET) {
      throw new IllegalArgumentException("a module without a kind");
    }
    FieldDescriptor kind =
        Module.getDescriptor().findFieldByNumber(module.getKindCase().getNumber());
    Message content = (Message) module.getField(kind);
    json.beginObject().name(kind.getName());
    if (Keys.isArray(kind)) {
      array(content, kind.getMessageType().findFieldByName("modules"));
    } else {
      object(content);
    }
    json.endObject();
  }

  private void object(Message message) throws IOException {
    json.beginObject();
    fields(message);
    json.endObject();
  }

  private void fields(Message message) throws IOException {
    for (FieldDescriptor field : message.getDescriptorForType().getFields()) {
      if (!isGiven(message, field)) {
        continue;
      }
      if (Keys.isSettings(field)) {
        fields((Message) message.getField(field));
        continue;
      }
      json.name(field.getName());
      if (field.isRepeated()) {
        array(message, field);
      } else {
        value(field, message.getField(field));
      }
    }
  }

  private static boolean isGiven(Message message, FieldDescriptor field) {
    return field.isRepeated()
        ? message.getRepeatedFieldCount(field) > 0
        : message.hasField(field) || Keys.isRequired(field);
  }

  private void array(Message message, FieldDescriptor field) throws IOException {
    json.beginArray();
    for (Object element : (List<?>) message.getField(field)) {
      value(field, element);
    }
    json.endArray();
  }

  private void value(FieldDescriptor field, Object value) throws IOException {
    if (value instanceof Module module) {
      write(module);
    } else if (value instanceof Message message) {
      object(message);
    } else if (value instanceof EnumValueDescriptor constant) {
      json.value(word(constant));
    } else if (value instanceof Number number) {
      json.value(
          field.getType() == FieldDescriptor.Type.UINT32
              ? Long.valueOf(Integer.toUnsignedLong(number.intValue()))
              : number);
    } else if (value instanceof Boolean truth) {
      json.value(truth);
    } else {
      json.value((String) value);
    }
  }

  private static String word(EnumValueDescriptor constant) {
    if (!Keys.words(constant.getType()).containsValue(constant)) {
      throw new IllegalArgumentException(
          constant.getType().getName() + " " + constant.getNumber() + " (expected: a known one)");
    }
    return Words.of(constant);
  }
}
