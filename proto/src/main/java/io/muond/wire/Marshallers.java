package io.muond.wire;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.IOException;
import java.io.InputStream;

/** How gRPC reads and writes messages with chunks. */
public final class Marshallers {
  private Marshallers() {}

  /**
   * For received messages. What cannot be parsed is INTERNAL, as with protobuf's own marshallers.
   *
   * @param prototype their kind
   */
  public static <M extends MessageLite> MethodDescriptor.Marshaller<ChunkedMessage<M>> received(
      M prototype) {
    return new MethodDescriptor.Marshaller<>() {
      @Override
      public InputStream stream(ChunkedMessage<M> message) {
        throw new UnsupportedOperationException("a received message is not sent");
      }

      @Override
      public ChunkedMessage<M> parse(InputStream stream) {
        try {
          return ChunkedMessage.parse(stream, prototype);
        } catch (InvalidProtocolBufferException e) {
          throw Status.INTERNAL
              .withDescription("Invalid protobuf byte sequence: " + e.getMessage())
              .withCause(e)
              .asRuntimeException();
        } catch (IOException e) {
          throw Status.INTERNAL
              .withDescription("the message cannot be read: " + e.getMessage())
              .withCause(e)
              .asRuntimeException();
        }
      }
    };
  }

  /** For messages to be sent. */
  public static MethodDescriptor.Marshaller<OutgoingMessage> sent() {
    return new MethodDescriptor.Marshaller<>() {
      @Override
      public InputStream stream(OutgoingMessage message) {
        return message;
      }

      @Override
      public OutgoingMessage parse(InputStream stream) {
        throw new UnsupportedOperationException("a message to be sent is not received");
      }
    };
  }
}
