#include "simulate/vocabulary.h"

const bt_category bt_vocabulary[BT_CATEGORIES] = {
    {"food",
     {"bread", "cheese", "soup", "pepper", "butter", "apple", "sausage", "honey", "rice", "mushroom"},
     {"cooked", "tasted", "baked", "chewed", "swallowed"},
     {"sweet", "salty", "spicy", "juicy", "bitter"}},
    {"animal",
     {"dog", "rabbit", "horse", "eagle", "spider", "wolf", "turtle", "goat", "monkey", "owl"},
     {"chased", "tamed", "hunted", "petted", "fed"},
     {"furry", "wild", "hungry", "playful", "timid"}},
    {"body",
     {"shoulder", "finger", "knee", "elbow", "stomach", "ankle", "forehead", "wrist", "chin", "spine"},
     {"scratched", "bruised", "washed", "stretched", "bandaged"},
     {"swollen", "aching", "bony", "numb", "sore"}},
    {"place",
     {"village", "harbor", "mountain", "bridge", "valley", "garden", "station", "island", "market", "castle"},
     {"visited", "crossed", "explored", "reached", "left"},
     {"distant", "narrow", "crowded", "empty", "ancient"}},
    {"music",
     {"violin", "drum", "melody", "trumpet", "chorus", "piano", "ballad", "flute", "rhythm", "concert"},
     {"played", "practiced", "hummed", "recorded", "conducted"},
     {"loud", "gentle", "famous", "mournful", "lively"}},
    {"weather",
     {"thunder", "storm", "frost", "rain", "fog", "lightning", "snow", "wind", "hail", "drought"},
     {"feared", "noticed", "predicted", "endured", "escaped"},
     {"freezing", "violent", "sudden", "humid", "gloomy"}},
    {"tool",
     {"hammer", "ladder", "bucket", "wrench", "shovel", "rope", "axe", "nail", "chisel", "pulley"},
     {"repaired", "sharpened", "borrowed", "dropped", "built"},
     {"rusty", "wooden", "heavy", "broken", "useful"}},
    {"kinship",
     {"mother", "uncle", "cousin", "daughter", "grandfather", "nephew", "sister", "husband", "orphan", "twin"},
     {"married", "trusted", "comforted", "forgave", "adopted"},
     {"proud", "lonely", "loyal", "jealous", "honest"}},
};

bt_word_classes bt_vocabulary_classes(size_t n_word)
{
    bt_word_classes classes = {.nouns = (n_word + 1) / 2};
    classes.verbs = (n_word - classes.nouns + 1) / 2;
    classes.adjectives = n_word - classes.nouns - classes.verbs;
    return classes;
}
