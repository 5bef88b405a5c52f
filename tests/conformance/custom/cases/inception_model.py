# inputs: (10, 10, 3)
import keras
from keras import layers, ops


class ConvBlock(layers.Layer):
    def __init__(self, filters, kernel_size, strides=1, padding="same"):
        super().__init__()
        self.conv = layers.Conv2D(filters, kernel_size, strides=strides, padding=padding, use_bias=False)
        self.bn = layers.BatchNormalization()

    def call(self, x, training=None):
        x = self.conv(x)
        x = self.bn(x, training=training)
        return ops.relu(x)


class InceptionBlock(layers.Layer):
    def __init__(self, f1, f3, f5):
        super().__init__()
        self.branches = {
            "one": ConvBlock(f1, 1),
            "three": keras.Sequential([ConvBlock(f3, 1), ConvBlock(f3, 3)]),
        }
        self.pool = layers.MaxPooling2D(3, strides=1, padding="same")
        self.proj = ConvBlock(f5, 1)

    def call(self, x, training=None):
        one = self.branches["one"](x)
        three = self.branches["three"](x)
        pooled = self.proj(self.pool(x))
        return ops.concatenate([one, three, pooled], axis=-1)


class MiniInception(keras.Model):
    def __init__(self, num_classes=3, **kwargs):
        super().__init__(**kwargs)
        self.stem = ConvBlock(4, 3, strides=2)
        self.inception = InceptionBlock(2, 3, 4)
        self.gap = layers.GlobalAveragePooling2D()
        self.classifier = layers.Dense(num_classes, activation="softmax")

    def call(self, inputs, training=None):
        x = self.stem(inputs, training=training)
        x = self.inception(x, training=training)
        x = self.gap(x)
        return self.classifier(x)


model = MiniInception()
model.build((None, 10, 10, 3))
