package io.muond.modular;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.MalformedJsonException;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.muond.manifold.Words;
import io.muond.v1.Module;
import java.io.EOFException;
import java.io.IOException;
import java.util.Map;

/** Reads the JSON form: its syntax, its keys and their types. Values are checked elsewhere. */
final class ModuleReader {
  private static final long MAX_UINT32 = 0xFFFF_FFFFL;

  private final JsonReader json;

  ModuleReader(JsonReader json) {
    this.json = json;
  }

  /** Reads one module, and nothing after it. */
  Module read() throws IOException {
    try {
      Module module = module(TreePath.ROOT, 1);
      if (json.peek() != JsonToken.END_DOCUMENT) {
        throw new ModuleException(TreePath.ROOT, "followed by more text (expected: its end)");
      }
      return module;
    } catch (MalformedJsonException | EOFException e) {
      throw new ModuleException(
          TreePath.ROOT, "not valid JSON near " + Words.quote(json.getPath()), e);
    }
  }

  private Module module(TreePath path, int depth) throws IOException {
    if (depth > Planner.MAX_DEPTH) {
      throw new ModuleException(
          path, "too deep (expected: at most " + Planner.MAX_DEPTH + " levels)");
    }
    Fields.expect(json, path, JsonToken.BEGIN_OBJECT, "an object with one of " + ModuleJson.KINDS);
    json.beginObject();
    if (!json.hasNext()) {
      throw new ModuleException(path, "empty (expected one of " + ModuleJson.KINDS + ")");
    }
    String kind = json.nextName();
    if (!ModuleJson.KINDS.contains(kind)) {
      throw new ModuleException(
          path,
          "unknown module " + Words.quote(kind) + " (expected one of " + ModuleJson.KINDS + ")");
    }
    FieldDescriptor field = Module.getDescriptor().findFieldByName(kind);
    Module.Builder module = Module.newBuilder();
    Message.Builder content = module.newBuilderForField(field);
    if (Keys.isArray(field)) {
      elements(field.getMessageType().findFieldByName("modules"), content, path, kind, depth + 1);
    } else {
      object(content, path.child(kind), depth);
    }
    if (json.hasNext()) {
      throw new ModuleException(
          path, "has " + Words.quote(json.nextName()) + " beside " + kind + " (expected: one key)");
    }
    json.endObject();
    return module.setField(field, content.build()).build();
  }

  /** Reads an object into a message; what is in it and is a module is one level deeper. */
  private void object(Message.Builder message, TreePath path, int depth) throws IOException {
    Fields fields = new Fields(json, path);
    Message.Builder settings = null;
    for (FieldDescriptor field : message.getDescriptorForType().getFields()) {
      if (Keys.isSettings(field)) {
        settings = message.newBuilderForField(field);
        for (FieldDescriptor setting : settings.getDescriptorForType().getFields()) {
          declare(fields, setting, settings, path, depth);
        }
      } else {
        declare(fields, field, message, path, depth);
      }
    }
    fields.read();
    if (settings != null && !settings.getAllFields().isEmpty()) {
      message.setField(
          message.getDescriptorForType().findFieldByName("settings"), settings.build());
    }
  }

  private void declare(
      Fields fields, FieldDescriptor field, Message.Builder message, TreePath path, int depth) {
    String key = field.getName();
    Fields.Field read =
        field.isRepeated()
            ? at -> elements(field, message, path, key, depth)
            : at -> message.setField(field, value(field, message, at, depth));
    if (Keys.isRequired(field)) {
      fields.required(key, read);
    } else {
      fields.optional(key, read);
    }
  }

  private void elements(
      FieldDescriptor field, Message.Builder message, TreePath path, String key, int depth)
      throws IOException {
    String what = Keys.isModule(field) ? "an array of modules" : "an array";
    Fields.expect(json, path.child(key), JsonToken.BEGIN_ARRAY, what);
    json.beginArray();
    for (int i = 0; json.hasNext(); i++) {
      message.addRepeatedField(field, value(field, message, path.child(key, i), depth));
    }
    json.endArray();
  }

  private Object value(FieldDescriptor field, Message.Builder message, TreePath at, int depth)
      throws IOException {
    return switch (field.getJavaType()) {
      case STRING -> Fields.string(json, at);
      case DOUBLE -> Fields.number(json, at);
      case BOOLEAN -> Fields.truth(json, at);
      case LONG -> integer(field, at);
      case INT -> (int) integer(field, at);
      case ENUM -> word(field, at);
      case MESSAGE -> message(field, message, at, depth);
      default -> throw new IllegalStateException(field + " has no JSON form");
    };
  }

  private long integer(FieldDescriptor field, TreePath at) throws IOException {
    long value = Fields.integer(json, at);
    if (!field.hasPresence()) {
      // 0 would be lost: it is how such a field says that it is not given.
      Checks.atLeastOne(at, value);
    }
    if (field.getType() == FieldDescriptor.Type.UINT32 && (value < 0 || value > MAX_UINT32)) {
      throw new ModuleException(at, value + " (expected: 0 to " + MAX_UINT32 + ")");
    }
    return value;
  }

  private EnumValueDescriptor word(FieldDescriptor field, TreePath at) throws IOException {
    String word = Fields.string(json, at);
    Map<String, EnumValueDescriptor> words = Keys.words(field.getEnumType());
    EnumValueDescriptor constant = words.get(word);
    if (constant == null) {
      throw new ModuleException(
          at, Words.quote(word) + " (expected one of " + words.keySet() + ")");
    }
    return constant;
  }

  private Message message(FieldDescriptor field, Message.Builder parent, TreePath at, int depth)
      throws IOException {
    if (Keys.isModule(field)) {
      return module(at, depth + (field.isRepeated() ? 0 : 1));
    }
    Message.Builder message = parent.newBuilderForField(field);
    object(message, at, depth);
    return message.build();
  }
}
