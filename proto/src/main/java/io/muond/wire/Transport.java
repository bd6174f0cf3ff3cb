package io.muond.wire;

import io.grpc.ChannelCredentials;
import io.grpc.ServerCredentials;
import io.grpc.netty.shaded.io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.grpc.netty.shaded.io.grpc.netty.InternalNettyChannelCredentials;
import io.grpc.netty.shaded.io.grpc.netty.InternalNettyServerCredentials;
import io.grpc.netty.shaded.io.grpc.netty.InternalProtocolNegotiator;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.buffer.ByteBufAllocator;
import io.grpc.netty.shaded.io.netty.buffer.PooledByteBufAllocator;
import io.grpc.netty.shaded.io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandler;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandlerContext;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.WriteBufferWaterMark;
import io.grpc.netty.shaded.io.netty.handler.codec.ByteToMessageDecoder;
import io.grpc.netty.shaded.io.netty.handler.codec.http2.Http2Exception;
import io.grpc.netty.shaded.io.netty.handler.codec.http2.Http2FrameListener;
import io.grpc.netty.shaded.io.netty.handler.codec.http2.Http2FrameListenerDecorator;
import io.grpc.netty.shaded.io.netty.handler.codec.http2.Http2Settings;
import io.grpc.netty.shaded.io.netty.util.AsciiString;
import io.grpc.netty.shaded.io.netty.util.concurrent.DefaultThreadFactory;
import java.util.concurrent.ThreadFactory;

/**
 * gRPC's transport, set up for large messages. Its defaults are for small ones: frames of 16 KiB,
 * writes of 64 KiB, and memory that is given back to the system after each message of 1 MiB. The
 * numbers are measured: see BENCHMARKS.md.
 */
public final class Transport {
  /**
   * The largest frame that is accepted: a message with a chunk of {@link #CHUNK_BYTES}. What a
   * frame costs, in time and in objects, does not depend on its size.
   */
  private static final int FRAME_BYTES = 1 << 20;

  /**
   * The best size of a chunk, in bytes: with what is around it a message fits into one of gRPC's
   * buffers of 1 MiB, and into one frame.
   */
  public static final int CHUNK_BYTES = FRAME_BYTES - 65_536;

  /** What is read from a socket at once, at most. */
  private static final int READ_BYTES = 256 << 10;

  /** What may wait in a connection for its socket; streams have limits of their own. */
  private static final WriteBufferWaterMark WRITE_BYTES =
      new WriteBufferWaterMark(1 << 20, 2 << 20);

  private static final int PAGE_BYTES = 8_192;

  /** 2^11 pages: 16 MiB, which a message of 1 MiB neither fills nor empties. */
  private static final int PAGES_ORDER = 11;

  private static final ByteBufAllocator ALLOCATOR =
      new PooledByteBufAllocator(true, 0, arenas(), PAGE_BYTES, PAGES_ORDER, 64, 32, true);

  private Transport() {}

  private static int arenas() {
    return Math.max(2, Math.min(8, Runtime.getRuntime().availableProcessors()));
  }

  /** A server's connections. */
  public static void tune(NettyServerBuilder builder) {
    builder
        .withChildOption(ChannelOption.ALLOCATOR, ALLOCATOR)
        .withChildOption(ChannelOption.WRITE_BUFFER_WATER_MARK, WRITE_BYTES)
        .withChildOption(ChannelOption.RECVBUF_ALLOCATOR, reads());
  }

  /** A client's connection. */
  public static void tune(NettyChannelBuilder builder) {
    builder
        .withOption(ChannelOption.ALLOCATOR, ALLOCATOR)
        .withOption(ChannelOption.WRITE_BUFFER_WATER_MARK, WRITE_BYTES)
        .withOption(ChannelOption.RECVBUF_ALLOCATOR, reads());
  }

  private static AdaptiveRecvByteBufAllocator reads() {
    return new AdaptiveRecvByteBufAllocator(64, 4_096, READ_BYTES);
  }

  /** Threads whose buffers the allocator can use again: it knows them by their class. */
  public static ThreadFactory threads(String name) {
    return new DefaultThreadFactory(name, true);
  }

  /** Credentials of a server that takes frames of up to 1 MiB. */
  public static ServerCredentials wideFrames(ServerCredentials credentials) {
    InternalProtocolNegotiator.ServerFactory factory =
        InternalNettyServerCredentials.toNegotiator(credentials);
    return InternalNettyServerCredentials.create(
        (InternalProtocolNegotiator.ServerFactory)
            pool -> new WideFrames(factory.newNegotiator(pool)));
  }

  /** Credentials of a client that takes frames of up to 1 MiB. */
  public static ChannelCredentials wideFrames(ChannelCredentials credentials) {
    InternalProtocolNegotiator.ClientFactory factory =
        InternalNettyChannelCredentials.toNegotiator(credentials);
    return InternalNettyChannelCredentials.create(
        new InternalProtocolNegotiator.ClientFactory() {
          @Override
          public InternalProtocolNegotiator.ProtocolNegotiator newNegotiator() {
            return new WideFrames(factory.newNegotiator());
          }

          @Override
          public int getDefaultPort() {
            return factory.getDefaultPort();
          }
        });
  }

  /** Negotiates as another does, and then tells the peer that frames may be larger. */
  private static final class WideFrames implements InternalProtocolNegotiator.ProtocolNegotiator {
    private final InternalProtocolNegotiator.ProtocolNegotiator negotiator;

    private WideFrames(InternalProtocolNegotiator.ProtocolNegotiator negotiator) {
      this.negotiator = negotiator;
    }

    @Override
    public AsciiString scheme() {
      return negotiator.scheme();
    }

    @Override
    public ChannelHandler newHandler(GrpcHttp2ConnectionHandler handler) {
      // A frame that comes in several reads is not copied together.
      handler.setCumulator(ByteToMessageDecoder.COMPOSITE_CUMULATOR);
      Http2FrameListener listener = handler.decoder().frameListener();
      handler.decoder().frameListener(new Announcement(listener, handler));
      return negotiator.newHandler(handler);
    }

    @Override
    public void close() {
      negotiator.close();
    }
  }

  /** Announces the size of frames when the peer has told its settings, which it does at first. */
  private static final class Announcement extends Http2FrameListenerDecorator {
    private final GrpcHttp2ConnectionHandler handler;
    private boolean made;

    private Announcement(Http2FrameListener listener, GrpcHttp2ConnectionHandler handler) {
      super(listener);
      this.handler = handler;
    }

    @Override
    public void onSettingsRead(ChannelHandlerContext context, Http2Settings settings)
        throws Http2Exception {
      super.onSettingsRead(context, settings);
      if (!made) {
        made = true;
        var unused =
            handler
                .encoder()
                .writeSettings(
                    context, new Http2Settings().maxFrameSize(FRAME_BYTES), context.newPromise());
        context.flush();
      }
    }
  }
}
